# SPDX-License-Identifier: Apache-2.0
"""What the log writes beside its database after a commit: the `checkpoint` file. Also the lock such files need.

The file is a copy for people and for witnesses; the database decides. It is not synced to disk: after a power cut
it may be old or unreadable, never ahead of the database, and the next commit or opening replaces it.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKPOINT_FILE = "checkpoint"
VKEY_FILE = "vkey"


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file at `path` against all other processes and threads; a killed holder lets go."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def replace_text(path: Path, text: str) -> None:
    """Replace a small file whole: a reader sees the old text or the new one. One caller at a time per path."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
