# SPDX-License-Identifier: Apache-2.0
"""Kept: a history whose rows survive the process, in a folder; a thread of its own tends the folder.

Every request's rows go to a journal as they are taken in. Once a second the thread makes them survive the machine as
well, and once the journals are long it puts a new snapshot in their place. If the disk refuses rows, answers go on, and
the thread tries until a new snapshot holds what the journal does not.
"""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Literal

from kelp.errors import EnvironmentFault
from kelp.frame.group import Row
from kelp.frame.history import History
from kelp.frame.history_table import snapshot_of
from kelp.frame.journal.folder import StateFolder
from kelp.frame.journal.records import Journal
from kelp.frame.journal.restore import Restored, restore

JOURNAL_LIMIT = 64 * 1024 * 1024
_TEND_S = 1.0
_PAUSE_S = 0.0005  # between two parts of a copy, for answers
_MOST_WAIT = 60  # rounds of the thread between two tries to write a snapshot

logger = logging.getLogger(__name__)


def keep_history(
    folder: Path,
    history: History,
    version: Path,
    *,
    journal_limit: int = JOURNAL_LIMIT,
    tend_s: float = _TEND_S,
    clock: Callable[[], float] = time.time,
) -> "Kept":
    """Restore a history from the folder where it was kept, and keep there what it takes in from now on.

    What is there is used if it is of exactly this version, and as far as it can be read; the rest is set aside with a
    WARNING.

    Args:
        folder: of this model and version alone; it is made if it is not there.
        history: starts from the version's own events; nobody uses it yet.
        version: the version's directory.
        journal_limit: bytes of journal after which a snapshot is written, or twice the snapshot if that is more.
        tend_s: seconds between two rounds of the thread: what a power cut may lose.
        clock: seconds since 1970.

    Raises:
        EnvironmentFault: another process keeps a history there, or the folder cannot be written.
    """
    try:
        state = StateFolder(folder)
        try:
            kept = Kept(state, history, restore(state, history, version), journal_limit, clock)
        except BaseException:
            state.close()
            raise
    except OSError as error:
        raise EnvironmentFault(
            f"rolling features cannot be kept here ({error})",
            place=str(folder),
            fix="make the folder writable, or name another one",
        ) from error
    kept.start(tend_s)
    return kept


class Kept:
    """A history that is kept; `close` it when no more rows come."""

    def __init__(
        self, folder: StateFolder, history: History, restored: Restored, journal_limit: int, clock: Callable[[], float]
    ) -> None:
        """Begin the next journal.

        Raises:
            OSError: the folder cannot be written.
        """
        self._folder = folder
        self._history = history
        self._limit = journal_limit
        self._clock = clock
        self._restored = restored
        self._kept_at = restored.kept_at
        self._rows = restored.rows
        self._rows_in_snapshot = restored.rows - restored.journal_rows
        self._snapshot_bytes = restored.snapshot_bytes
        self._bytes_before = restored.journal_bytes  # of the journals before the one that is written
        # kept: snapshot and journals have every row; lost: they lack some; mending: the snapshot under way has those.
        self._state: Literal["kept", "lost", "mending"] = "kept"
        self._rounds_to_wait, self._next_wait = 0, 1
        self._publishing = Lock()
        self._is_over = False
        self._ending = Event()
        self._number = restored.after[0] + 1
        self._journal = Journal(folder.journal(self._number), self._number)
        try:
            self._journal.begin(restored.after)
        except OSError as error:
            self._lose(error)
        folder.sync()

    def start(self, tend_s: float) -> None:
        """Keep every row from now on, and tend the folder."""
        self._history.keep_in(self)
        self._thread = Thread(target=self._run, args=(tend_s,), name=f"keep {self._folder.path}", daemon=True)
        self._thread.start()

    def take(self, rows: Sequence[Sequence[Row]]) -> None:
        """Keep the rows of a request; see `Keeper`."""
        self._rows += len(rows[0])
        if self._state == "lost":
            return
        try:
            self._journal.append(rows)
        except OSError as error:
            self._lose(error)
        else:
            if self._state == "kept":
                self._kept_at = self._clock()

    def facts(self) -> dict[str, Any]:
        """Whether a restart would lose no row, when the newest row that it would not lose came, and how many it found.

        `restoredRows` counts from the version's own history on, over all restarts.
        """
        moment = None if self._kept_at is None else datetime.fromtimestamp(self._kept_at, UTC)
        return {
            "isKept": self._state == "kept",
            "keptUpTo": moment and moment.isoformat(timespec="milliseconds"),
            "restoredRows": self._restored.rows,
        }

    def close(self, within_s: float = 10.0) -> None:
        """Write a last snapshot, for which a restart need not read journals, and let go of the folder.

        Args:
            within_s: seconds that the snapshot may take; without it nothing is lost, and the next start takes longer.
        """
        if self._is_over:
            return
        self._ending.set()
        self._thread.join(within_s)
        with self._publishing:
            self._is_over = True
        self._history.keep_in(None)
        if self._thread.is_alive():
            logger.warning("%s: no snapshot in %g s: the next start reads the journal", self._folder.path, within_s)
        self._sync()
        self._journal.close()
        self._folder.close()

    def tend(self) -> None:
        """What the thread does once a second: sync, and write a snapshot if the journals are long or lack rows."""
        self._sync()
        self._rounds_to_wait -= 1
        if self._rounds_to_wait > 0 or not (self._state == "lost" or self._is_long):
            return
        was_lost, is_first = self._state == "lost", self._next_wait == 1
        self._rounds_to_wait, self._next_wait = self._next_wait, min(2 * self._next_wait, _MOST_WAIT)
        try:
            self.compact()
        except OSError as error:
            if is_first and not was_lost:
                logger.error("%s: no snapshot can be written (%s): the journal grows on", self._folder.path, error)
            return
        self._rounds_to_wait, self._next_wait = 0, 1
        if was_lost and self._state == "kept":
            logger.warning("%s: every row is kept again", self._folder.path)

    def compact(self, *, pause_s: float = _PAUSE_S) -> None:
        """Turn to a new journal, and put a snapshot in the place of those before it; one thread at a time may do so.

        Raises:
            OSError: the system refused; what is in the folder can be restored as before.
        """
        turned: list[tuple[Journal, int]] = []
        try:
            copies = self._history.copy(lambda: turned.append(self._turn()), pause_s=pause_s)
            ((before, rows),) = turned
            journal = self._journal
            before.sync()
            unfinished = self._folder.unfinished_snapshot(snapshot_of(copies), journal=journal.number, rows=rows)
            journal.sync()
            self._publish(unfinished, journal, rows)
        except BaseException:
            self._give_up()
            raise
        finally:
            for before, _ in turned:
                before.close()

    def _turn(self) -> tuple[Journal, int]:
        """Write to a new journal from now on; return the one before, and how many rows came until now."""
        with self._publishing:
            if self._is_over:
                raise _Over
            self._number += 1
            journal, before = Journal(self._folder.journal(self._number), self._number), self._journal
            try:
                journal.begin((before.number, before.size) if self._state == "kept" else None)
            except OSError:
                journal.close()
                journal.path.unlink(missing_ok=True)
                raise
            self._journal = journal
            self._state = "mending" if self._state == "lost" else self._state
            self._bytes_before += before.size
            return before, self._rows

    def _publish(self, unfinished: Path, journal: Journal, rows: int) -> None:
        with self._publishing:
            if self._is_over:
                unfinished.unlink()
                raise _Over
            size = unfinished.stat().st_size
            self._folder.publish(unfinished, self._folder.snapshot)
            self._snapshot_bytes = size
            self._rows_in_snapshot = rows
            self._bytes_before = 0
            if self._state == "mending":
                self._state, self._kept_at = "kept", self._clock()
            self._folder.remove_before(journal.number)

    def _give_up(self) -> None:
        """Remove a journal that goes on from a snapshot which there will not be."""
        with self._publishing:
            if self._state == "mending" and not self._is_over:
                self._state = "lost"
                self._journal.path.unlink(missing_ok=True)

    @property
    def _is_long(self) -> bool:
        return self._bytes_before + self._journal.size > max(self._limit, 2 * self._snapshot_bytes)

    def _sync(self) -> None:
        try:
            self._journal.sync()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        if self._state == "kept":
            path = self._folder.path
            logger.error(
                "%s: rows cannot be kept (%s): answers go on, a restart would lose what comes now", path, error
            )
        self._state = "lost"

    def _run(self, tend_s: float) -> None:
        while not self._ending.wait(tend_s):
            self._try(self.tend)
        if self._rows != self._rows_in_snapshot:
            self._try(partial(self.compact, pause_s=0))

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except _Over:
            return
        except Exception:  # the rim of this thread, without which rows would go on to a journal that nobody tends
            logger.exception("%s: the history that is kept here cannot be tended", self._folder.path)


class _Over(Exception):
    """The folder is no longer ours."""
