# SPDX-License-Identifier: Apache-2.0
"""Bytes on their way in or out of a store: read in chunks, hashed as they pass, checked at the end."""

import hashlib
import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from kelp.errors import InputError, IntegrityError, NotFound
from kelp.store.atomic import atomic_file, make_folders
from kelp.store.faults import disk_faults
from kelp.store.protocol import Digest

CHUNK = 1 << 20  # bytes read at a time


def chunks(stream: BinaryIO, place: str) -> Iterator[bytes]:
    """Read to the end, at most CHUNK bytes at a time.

    Raises:
        EnvironmentFault: a read failed.
    """
    while True:
        with disk_faults(place, "read"):
            chunk = stream.read(CHUNK)
        if not chunk:
            return
        yield chunk


def copy(source: BinaryIO, sink: BinaryIO, place: str) -> Digest:
    """Copy a stream to its end; `place` names the source.

    Raises:
        EnvironmentFault: the source failed.
        OSError: the sink failed.
    """
    digest = hashlib.sha256()
    for chunk in chunks(source, place):
        digest.update(chunk)
        sink.write(chunk)
    return Digest(digest.hexdigest())


def measure(stream: BinaryIO, place: str) -> tuple[Digest, int]:
    """The digest and the size in bytes of the rest of a seekable stream, which is left where it was.

    Raises:
        EnvironmentFault: the stream failed.
    """
    digest = hashlib.sha256()
    with disk_faults(place, "read"):
        start = stream.tell()
    for chunk in chunks(stream, place):
        digest.update(chunk)
    with disk_faults(place, "read"):
        size = stream.tell() - start
        stream.seek(start)
    return Digest(digest.hexdigest()), size


def receive(content: BinaryIO, target: Path, *, place: str, sha256: str | None) -> Digest:
    """Write a stream to a file, whole or not at all, and only if it has the expected digest.

    Args:
        content: read to its end.
        target: replaced if it exists; its folder is created.
        place: where the content comes from.
        sha256: the expected digest; None accepts any.

    Raises:
        IntegrityError: the digest differs; `target` is as it was.
        EnvironmentFault: reading or writing failed; `target` is as it was.
    """
    with disk_faults(str(target), "written"):
        make_folders(target.parent)
        with atomic_file(target, target.parent) as file:
            digest = copy(content, file, place)
            require_digest(place, sha256, digest)
    return digest


def require_digest(place: str, expected: str | None, found: str) -> None:
    """Accept the digest that was expected, and any when none was.

    Raises:
        IntegrityError: they differ.
    """
    if expected is not None and expected != found:
        raise IntegrityError(
            f"expected sha256 {expected}, found {found}",
            place=place,
            fix="the content was changed or damaged: restore it, or record what is there as something new",
        )


@contextmanager
def opened(source: Path | BinaryIO) -> Iterator[tuple[BinaryIO, str]]:
    """The source as a stream, and its name for messages; a file is closed afterwards, a stream is not.

    Raises:
        NotFound: the path leads to nothing.
        InputError: the path is not a regular file.
    """
    if not isinstance(source, Path):
        yield source, str(getattr(source, "name", "the stream"))
        return
    with disk_faults(str(source), "read"):
        if not source.exists():
            raise NotFound("there is no such file to store", place=str(source))
        if not source.is_file():
            raise InputError("is not a regular file", place=str(source), fix="store the files in it one by one")
        file = source.open("rb")
    with file:
        yield file, str(source)


@contextmanager
def rewindable(stream: BinaryIO, place: str) -> Iterator[BinaryIO]:
    """The stream itself if it can be read twice, else a temporary copy of its rest (in memory up to CHUNK)."""
    if stream.seekable():
        yield stream
        return
    with tempfile.SpooledTemporaryFile(max_size=CHUNK) as spool:
        copied = cast(BinaryIO, spool)
        with disk_faults(tempfile.gettempdir(), "written"):
            copy(stream, copied, place)
            copied.seek(0)
        yield copied


class Checked(io.RawIOBase):
    """Exactly `size` bytes of a source; the read that completes them fails if their digest is not `sha256`.

    So whoever sends the bytes on has not sent the last of them when the difference shows.
    """

    def __init__(self, read: Callable[[int], bytes], size: int, sha256: str | None, place: str) -> None:
        super().__init__()
        self._read = read
        self._left = size
        self._sha256 = sha256
        self._place = place
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        """Yes; it cannot be written or rewound."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer hides len()
        """Fill the buffer as far as one read of the source goes; 0 is the end.

        Raises:
            IntegrityError: the bytes are all there, or the source ended early, and the digest differs.
        """
        data = self._read(min(len(buffer), self._left)) if self._left else b""
        buffer[: len(data)] = data
        self._digest.update(data)
        self._left -= len(data)
        if not data or not self._left:
            require_digest(self._place, self._sha256, self._digest.hexdigest())
        return len(data)
