# SPDX-License-Identifier: Apache-2.0
"""The folder in which the history of one model version is kept: its files, each of which appears whole or not at all.

state.json           which version the rest belongs to
history.parquet      a snapshot, and the number of the journal that goes on from it; absent before the first one
journal-000004.log   the rows taken in since, in one journal or several: see `kelp.frame.journal.records`
unusable-1/          files that could not be used, as they were found; nothing here reads or deletes them
lock                 held by the process that keeps a history here
"""

import fcntl
import logging
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kelp.errors import EnvironmentFault
from kelp.frame.history_table import HISTORY_FILE

STATE_FILE = "state.json"
_JOURNAL = re.compile(r"journal-(\d{6,})\.log")
_JOURNAL_KEY, _ROWS_KEY = b"journal", b"rows"  # in the metadata of a snapshot's schema

logger = logging.getLogger(__name__)


class StateFolder:
    """The folder, held against all other processes until it is closed.

    Attributes:
        snapshot: where the snapshot is.
        state: where it says which version the rest belongs to.
    """

    def __init__(self, path: Path) -> None:
        """Take the folder, which is made if it is not there.

        Raises:
            EnvironmentFault: another process holds it.
            OSError: it cannot be written.
        """
        self.path = path
        self.snapshot = path / HISTORY_FILE
        self.state = path / STATE_FILE
        self._damaged: set[Path] = set()
        path.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise EnvironmentFault(
                "another process keeps its rolling features here",
                place=str(path),
                fix="end that server, or give this one a folder of its own",
            ) from None
        for left in path.glob(".*.partial"):
            left.unlink(missing_ok=True)

    def close(self) -> None:
        """Let another process have the folder."""
        os.close(self._lock)

    def journal(self, number: int) -> Path:
        """Where the journal of that number is."""
        return self.path / f"journal-{number:06}.log"

    def journals(self) -> list[tuple[int, Path]]:
        """The number and the path of each journal, in order."""
        found = ((_JOURNAL.fullmatch(path.name), path) for path in self.path.iterdir())
        return sorted((int(match[1]), path) for match, path in found if match)

    def files(self) -> list[Path]:
        """Everything that is kept. What says which version it is of comes first: without it the rest is of no use."""
        return [path for path in (self.state, self.snapshot) if path.exists()] + [path for _, path in self.journals()]

    def unfinished_snapshot(self, table: Any, *, journal: int, rows: int) -> Path:
        """Write a snapshot under a passing name.

        Args:
            table: of `kelp.frame.history_table.snapshot_of`.
            journal: number of the journal that goes on from it.
            rows: that were taken in before it, since the version's own history.

        Raises:
            OSError: what the system said; nothing is left.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        said = {**(table.schema.metadata or {}), _JOURNAL_KEY: str(journal), _ROWS_KEY: str(rows)}
        sink = pa.BufferOutputStream()
        pq.write_table(table.replace_schema_metadata(said), sink, compression="zstd")
        return self.unfinished(sink.getvalue())

    def unfinished(self, content: Any) -> Path:
        """Write bytes under a passing name, and make them survive the machine.

        Raises:
            OSError: what the system said; nothing is left.
        """
        path = self.path / f".{secrets.token_hex(8)}.partial"
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def publish(self, unfinished: Path, path: Path) -> None:
        """Put a file in the place of another; the names of all others in the folder survive the machine before it.

        Raises:
            OSError: what the system said; the unfinished file is gone.
        """
        self.sync()
        try:
            unfinished.replace(path)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        self.sync()

    def sync(self, files: Iterable[Path] = ()) -> None:
        """Make files survive the machine, and the names of all."""
        for path in (*files, self.path):
            _sync(path)

    def is_damaged(self, journal: Path) -> None:
        """Note that a journal holds whole records that cannot be used: it is not to be deleted."""
        self._damaged.add(journal)

    def remove_before(self, number: int) -> None:
        """Remove the journals that a snapshot made superfluous."""
        for found, path in self.journals():
            if found < number and path in self._damaged:
                self.set_aside([path], "holds whole records behind a damaged one")
            elif found < number:
                path.unlink()

    def set_aside(self, paths: Iterable[Path], reason: str) -> None:
        """Move files where nobody reads them, and say why."""
        aside = next(path for number in range(1, 1_000_000) if not (path := self.path / f"unusable-{number}").exists())
        aside.mkdir()
        for path in paths:
            path.rename(aside / path.name)
            logger.warning("%s %s: it is not used, and was moved to %s", path, reason, aside)
        self.sync()


def snapshot_said(table: Any) -> tuple[int, int]:
    """The `journal` and the `rows` of `StateFolder.unfinished_snapshot`.

    Raises:
        ValueError: the table does not say them.
    """
    said = table.schema.metadata or {}
    return int(said.get(_JOURNAL_KEY, b"")), int(said.get(_ROWS_KEY, b""))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
