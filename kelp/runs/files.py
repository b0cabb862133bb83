# SPDX-License-Identifier: Apache-2.0
"""Files that are either the old ones or the new ones, never half of each."""

import os
import shutil
from pathlib import Path


def write_whole(path: Path, text: str, *, durable: bool = True) -> None:
    """Replace a file: temporary sibling, fsync, rename.

    Without `durable` there is no fsync: no process sees half a file, but a power cut may leave an empty one.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    temporary.replace(path)


def partial_of(path: Path) -> Path:
    """The sibling in which the folder `path` grows until it is complete."""
    return path.with_name(f".{path.name}.partial")


def put_in_place(path: Path) -> None:
    """Make the complete `partial_of(path)` the folder `path`, in place of what is there."""
    if path.exists():
        shutil.rmtree(path)
    partial_of(path).rename(path)


def clone(source: Path, target: Path) -> None:
    """Make the folder `target` equal to `source`: by hard links, or by copies on another disk."""
    if source == target:
        return
    partial = partial_of(target)
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, partial, copy_function=_link_or_copy)
    put_in_place(target)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or a file system without hard links: the bytes are the same
        shutil.copy2(source, target)
