# SPDX-License-Identifier: Apache-2.0
"""A store in a folder: the key is the path below it.

Unfinished writes live in `.partial/`, which no key can name; what a killed writer left there is removed
a day later by the next one. Symbolic links are refused: a store ends at its own folder.
"""

import errno
import io
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from kelp.errors import EnvironmentFault, InputError, NotFound
from kelp.store.atomic import atomic_file, make_folders, sync_folder
from kelp.store.faults import disk_faults
from kelp.store.keys import PARTIAL, check_key
from kelp.store.protocol import Digest, Item
from kelp.store.stream import chunks, copy, opened, receive

_ABANDONED_AFTER_S = 86_400  # a partial file nobody has written to for so long has no writer


class FolderStore:
    """The `Store` protocol on a folder that exists already."""

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.realpath(root))

    @property
    def location(self) -> str:
        """The absolute path of the folder."""
        return str(self._root)

    def put(self, key: str, source: Path | BinaryIO) -> Digest:
        """See `Store.put`."""
        target = self._path(key)
        with opened(source) as (stream, place), disk_faults(str(target), "written"):
            self._make_parent(key, target)
            with atomic_file(target, self._staging()) as file:
                return copy(stream, file, place)

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        """See `Store.open`; the stream is a real file, so it is seekable."""
        path = self._path(key)
        with disk_faults(str(path), "read"):
            if not path.is_file():
                raise NotFound("does not exist", place=str(path), fix="list the keys around it")
            file = path.open("rb")
        with file:
            yield file

    def get(self, key: str, target: Path, *, sha256: str | None = None) -> Digest:
        """See `Store.get`."""
        with self.open(key) as content:
            return receive(content, target, place=str(self._root / key), sha256=sha256)

    def read_bytes(self, key: str) -> bytes:
        """See `Store.read_bytes`."""
        with self.open(key) as content:
            return b"".join(chunks(content, str(self._root / key)))

    def write_bytes(self, key: str, data: bytes) -> Digest:
        """See `Store.write_bytes`."""
        return self.put(key, io.BytesIO(data))

    def list(self, prefix: str = "") -> Iterator[Item]:
        """See `Store.list`."""
        folder = self._path(prefix) if prefix else self._existing_root()
        with disk_faults(str(folder), "listed"):
            return iter(sorted(self._walk(folder), key=lambda item: item.key))

    def exists(self, key: str) -> bool:
        """See `Store.exists`."""
        path = self._path(key)
        with disk_faults(str(path), "read"):
            return path.is_file()

    def delete(self, key: str) -> None:
        """See `Store.delete`; folders that become empty stay."""
        path = self._path(key)
        with disk_faults(str(path), "deleted"):
            if path.is_file():
                path.unlink(missing_ok=True)
                sync_folder(path.parent)

    def _existing_root(self) -> Path:
        """The folder of the store.

        Raises:
            EnvironmentFault: it does not exist. Creating it here would hide a wrong location or a
                disk that is not mounted.
        """
        with disk_faults(str(self._root), "read"):
            if not self._root.is_dir():
                raise EnvironmentFault(
                    "the folder of the store does not exist",
                    place=str(self._root),
                    fix=f"create it (mkdir -p '{self._root}'), or correct the location in home.toml",
                )
        return self._root

    def _path(self, key: str) -> Path:
        """The path of a key, free of symbolic links."""
        check_key(key)
        path = self._existing_root() / key
        with disk_faults(str(path), "read"):
            if os.path.realpath(path) != str(path):
                raise _refused_link(path)
        return path

    def _make_parent(self, key: str, target: Path) -> None:
        """Create the folders of a key.

        Raises:
            InputError: the key is a folder of other keys, or one of its folders is a key.
        """
        file = next((folder for folder in target.parents if folder.is_file()), None)
        if file is not None or not _is_free_of_folders(target):
            other = file.relative_to(self._root).as_posix() if file else f"{key}/..."
            raise InputError(
                f"the key {key} collides with the key {other}: one cannot be a folder of the other",
                place=str(target),
                fix="choose another key",
            )
        make_folders(target.parent)

    def _staging(self) -> Path:
        """The folder of unfinished writes, swept."""
        staging = self._root / PARTIAL
        make_folders(staging)
        oldest = time.time() - _ABANDONED_AFTER_S
        for path in staging.iterdir():
            with suppress(FileNotFoundError):  # its writer has just finished
                if path.stat().st_mtime < oldest:
                    path.unlink()
        return staging

    def _walk(self, folder: Path) -> Iterator[Item]:
        """Every item below a folder; nothing if it does not exist. What vanishes meanwhile is left out."""
        for entry in _entries(folder):
            path = Path(entry.path)
            if entry.is_symlink():
                raise _refused_link(path)
            if entry.is_dir():
                if path != self._root / PARTIAL:
                    yield from self._walk(path)
                continue
            with suppress(FileNotFoundError):
                yield self._item(path, entry.stat())

    def _item(self, path: Path, status: os.stat_result) -> Item:
        key = path.relative_to(self._root).as_posix()
        check_key(key)
        if not stat.S_ISREG(status.st_mode):
            raise InputError("is not a regular file", place=str(path), fix="move it out of the store")
        return Item(key, status.st_size)


def _is_free_of_folders(target: Path) -> bool:
    """Whether a file can have this path, once the empty folders that deleted keys left are gone."""
    for parent, _, _ in os.walk(target, topdown=False):
        try:
            os.rmdir(parent)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return False
            raise
    return True


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _refused_link(path: Path) -> InputError:
    return InputError(
        "is, or lies behind, a symbolic link; a store holds files only",
        place=str(path),
        fix="replace the link by what it leads to",
    )
