# SPDX-License-Identifier: Apache-2.0
"""The lock of one run: `<run>/lock`, shared by the runner and every step of it, exclusive for whoever wants to resume.

The kernel drops a flock with its process, so a run is alive exactly as long as one of its processes is; no process id
is ever written down and believed.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kelp.errors import Conflict

_PATIENCE_S = 2.0  # how long killed processes of an earlier attempt may take to be gone


@contextmanager
def owned(run_dir: Path) -> Iterator[None]:
    """Become the one runner of a run, leaving room for its steps.

    The exclusive lock proves that nobody else is there and is then made shared. flock(2) may let another process in
    between the two; then the second call fails, and this process gives way.

    Raises:
        Conflict: a process of this run is alive.
    """
    descriptor = _open(run_dir)
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while not (_try(descriptor, fcntl.LOCK_EX) and _try(descriptor, fcntl.LOCK_SH)):
            if time.monotonic() > deadline:
                raise Conflict(
                    f"the run {run_dir.name} is still running",
                    place=str(run_dir),
                    fix="wait for it to end, or stop the process that started it",
                )
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def shared(run_dir: Path) -> Iterator[None]:
    """Keep the run alive while this block runs."""
    descriptor = _open(run_dir)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def is_alive(run_dir: Path) -> bool:
    """Whether some process of this run is alive."""
    descriptor = _open(run_dir)
    try:
        return not _try(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


def _open(run_dir: Path) -> int:
    return os.open(run_dir / "lock", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
