# SPDX-License-Identifier: Apache-2.0
"""What a store is: keys that name bytes, the same on a folder and on S3.

`kelp.store.folder` and `kelp.store.s3` implement it; `tests/contract/test_store.py` holds both to it.
Callers take a `Store` and get one from `kelp.store.open_store`.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NewType, Protocol

Digest = NewType("Digest", str)  # SHA-256 of the content: 64 lower-case hexadecimal digits


@dataclass(frozen=True, slots=True)
class Item:
    """A key that exists, and the size of its content in bytes."""

    key: str
    size: int


class Store(Protocol):
    """Bytes under keys; a reader sees the old content or the new content, whole.

    A key is a relative POSIX path (`kelp.store.keys` has the rules). No key may be a folder of another
    key: with `a` there can be no `a/b`.

    Every method may raise:
        InputError: the key breaks the rules.
        EnvironmentFault: the disk or the network failed, the credentials were refused, or the folder or
            bucket of the store does not exist. A key that was being written then has its old content
            or, when only the answer was lost, its new content.
    """

    @property
    def location(self) -> str:
        """Where the store is: an absolute folder, or s3://bucket/prefix."""

    def put(self, key: str, source: Path | BinaryIO) -> Digest:
        """Store a file, or a stream from its position to its end; replace what the key had.

        Raises:
            NotFound: the source is a path to nothing.
            IntegrityError: the source changed while it was read; the key keeps its old content.
        """

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """Open the content for reading from start to end; the stream need not be seekable.

        Raises:
            NotFound: there is no such key.
            IntegrityError: while reading, when the bytes differ from a digest the store keeps of them.
        """

    def get(self, key: str, target: Path, *, sha256: str | None = None) -> Digest:
        """Write the content to the file `target`, whole or not at all; return its digest.

        Args:
            key: what to read.
            target: replaced if it exists; its folder is created.
            sha256: the digest the content must have; None accepts any.

        Raises:
            NotFound: there is no such key.
            IntegrityError: the content has another digest; `target` is as it was.
        """

    def read_bytes(self, key: str) -> bytes:
        """Return the whole content; for small files.

        Raises:
            NotFound: there is no such key.
        """

    def write_bytes(self, key: str, data: bytes) -> Digest:
        """Store `data`; replace what the key had."""

    def list(self, prefix: str = "") -> Iterator[Item]:
        """Every key below the folder `prefix` ("" is the whole store), in the order of the keys' code points.

        `list("fraud")` finds `fraud/1/model.onnx`, and neither `fraud` nor `fraud2/1`. A prefix without
        keys gives nothing. All faults are raised by the call, none by the iteration.

        Raises:
            InputError: the store holds something that cannot be a key, such as a symbolic link.
        """

    def exists(self, key: str) -> bool:
        """Whether the key has content."""

    def delete(self, key: str) -> None:
        """Remove the key and its content; a key that is not there is no error."""
