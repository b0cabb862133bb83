# SPDX-License-Identifier: Apache-2.0
import hashlib
import hmac

from kelp.frame.pseudonym import pseudonym


def test_pseudonym_is_the_start_of_the_keyed_hash_of_the_text() -> None:
    assert pseudonym(b"key", "Zoë") == hmac.new(b"key", "Zoë".encode(), hashlib.sha256).hexdigest()[:32]


def test_pseudonym_differs_by_key_and_by_value() -> None:
    assert len({pseudonym(key, value) for key in (b"k", b"l") for value in ("", "a", "A")}) == 6
