# SPDX-License-Identifier: Apache-2.0
"""Any text as a YAML scalar or key: plain where that is safe, so that people like to read it, else quoted."""

import json
import re

_PLAIN = re.compile(r"(?:(?:data|file|s3)://)?[A-Za-z_/][A-Za-z0-9_./*-]*")
_LONGEST_KEY = 1000  # YAML gives up at 1024 characters, unless the key is marked by `?`


def word(text: str) -> str:
    """A plain scalar where every reader of YAML takes it for a text, else a quoted one."""
    return text if _PLAIN.fullmatch(text) and text not in ("true", "false", "null") else quoted(text)


def key(text: str, indent: str) -> str:
    """A key, up to its colon; `indent` is what stands before it."""
    written = word(text)
    return written if len(written) <= _LONGEST_KEY else f"? {written}\n{indent}"


def quoted(text: str) -> str:
    """A double-quoted scalar: JSON's, with what YAML does not print or would fold escaped as well."""
    written = json.dumps(text, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else _escaped(ord(letter)) for letter in written)


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
