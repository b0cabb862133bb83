# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole or not at all, and are still there after a power cut."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_file(target: Path, staging: Path) -> Iterator[BinaryIO]:
    """A new file that replaces `target` when the block ends well and leaves no trace when it does not.

    A process killed inside the block leaves a file `*.partial` in `staging`, and `target` as it was.

    Args:
        target: in a folder that exists.
        staging: an existing folder on the same filesystem, for the unfinished file.

    Raises:
        OSError: what the filesystem said.
    """
    partial = unfinished(staging)
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
        sync_folder(target.parent)
    finally:
        partial.unlink(missing_ok=True)


def unfinished(folder: Path) -> Path:
    """A fresh name in `folder` for something not yet complete."""
    return folder / f".{secrets.token_hex(8)}.partial"


def make_folders(folder: Path) -> None:
    """Create a folder and those above it, durably; existing ones are left alone."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
