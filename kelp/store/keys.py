# SPDX-License-Identifier: Apache-2.0
"""The rules of keys: what every store can hold and no store can be tricked with."""

from kelp.errors import InputError

PARTIAL = ".partial"  # where a folder store keeps unfinished writes; no key starts with it
_MAX_KEY_BYTES = 1024  # S3's limit on an object's name
_MAX_SEGMENT_BYTES = 255  # NAME_MAX of common filesystems


def check_key(key: str) -> None:
    """Refuse a key that is not a plain relative POSIX path.

    Raises:
        InputError: the key is empty, absolute or too long; has an empty, blank, `.` or `..` segment, a
            backslash, a control character or a lone surrogate; or lies below `.partial`.
    """
    problem = _problem(key)
    if problem:
        raise InputError(
            f"the key {key[:80]!r} {problem}",
            place=f"key {key[:80]!r}",
            fix="use a relative path with forward slashes, such as fraud/1/model.onnx",
        )


def _problem(key: str) -> str:
    """What is wrong with the key, or nothing."""
    segments = key.split("/")
    checks = (
        (key == "", "is empty"),
        (key.startswith("/"), "is absolute, expected a relative path"),
        ("\\" in key, "has a backslash"),
        (any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in key), "has a control character"),
        (any(0xD800 <= ord(letter) <= 0xDFFF for letter in key), "is not valid Unicode"),
        (any(not segment.strip() for segment in segments), "has an empty segment"),
        (bool({".", ".."} & set(segments)), "has a segment . or .."),
        (segments[0] == PARTIAL, f"lies below {PARTIAL}, which is reserved"),
        (_size(key) > _MAX_KEY_BYTES, f"is longer than {_MAX_KEY_BYTES} bytes"),
        (max(map(_size, segments)) > _MAX_SEGMENT_BYTES, f"has a segment longer than {_MAX_SEGMENT_BYTES} bytes"),
    )
    return next((problem for is_wrong, problem in checks if is_wrong), "")


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
