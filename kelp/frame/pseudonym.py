# SPDX-License-Identifier: Apache-2.0
"""Pseudonyms of private values: the same in prepare, for the training data, and in the server, for a request."""

import hashlib
import hmac


def pseudonym(key: bytes, value: str) -> str:
    """Keyed HMAC-SHA256 (RFC 2104) of the value's text, 32 hex digits."""
    return hmac.digest(key, value.encode(), hashlib.sha256).hex()[:32]
