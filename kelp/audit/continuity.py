# SPDX-License-Identifier: Apache-2.0
"""The rule that a log never contradicts itself: what is about to be extended must be what was signed before.

Remembered are the last checkpoint this process read or signed, the latest one in the database, and the `checkpoint`
file beside it. A database that was cut back, restored from an old backup or rewritten is refused; nothing is signed.
"""

import logging
import sqlite3
from pathlib import Path

from kelp.audit import rows
from kelp.audit.note import Checkpoint, Verifier, open_checkpoint
from kelp.audit.projection import CHECKPOINT_FILE
from kelp.audit.schema import DATABASE, damaged
from kelp.audit.tree import Frontier, frontier_of
from kelp.errors import InputError, IntegrityError

_logger = logging.getLogger(__name__)


class Continuity:
    """Compares a log's database with what its key is known to have signed."""

    def __init__(self, folder: Path, verifier: Verifier) -> None:
        self._file = folder / CHECKPOINT_FILE
        self._path = folder / DATABASE
        self._verifier = verifier
        self._seen: tuple[str, Checkpoint] | None = None

    def remember(self, note: str, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint that is committed."""
        self._seen = (note, checkpoint)

    def checked_head(self, database: sqlite3.Connection) -> Frontier:
        """Return the tree to extend.

        MUST run inside the write transaction: the `checkpoint` file cannot then be ahead of an honest database.

        Raises:
            IntegrityError: extending it would make the key contradict itself.
        """
        size, note = rows.latest_checkpoint(database)
        head = self._opened(note)
        frontier = frontier_of(rows.node_reader(database), head.size)
        if size != head.size or frontier.root() != head.root:
            raise damaged(self._path, f"the stored tree is not the one that was signed at size {head.size}")
        last = rows.last_seq(database)
        if last != head.size - 1:
            raise damaged(self._path, f"{head.size} records were signed, the highest seq found is {last}")
        for earlier in (self._seen[1] if self._seen else None, self._in_file(note)):
            if earlier is not None and earlier != head:
                self._check_extends(database, earlier, head)
        self._seen = (note, head)
        return frontier

    def _check_extends(self, database: sqlite3.Connection, earlier: Checkpoint, head: Checkpoint) -> None:
        if earlier.size > head.size:
            message = f"the log was cut back: it ends at {head.size} records, {earlier.size} were signed before"
            raise damaged(self._path, message)
        if frontier_of(rows.node_reader(database), earlier.size).root() != earlier.root:
            raise damaged(self._path, f"the first {earlier.size} records are not those that were signed before")

    def _opened(self, note: str) -> Checkpoint:
        if self._seen is not None and self._seen[0] == note:
            return self._seen[1]
        try:
            return open_checkpoint(note, self._verifier)
        except (InputError, IntegrityError) as error:
            raise damaged(self._path, f"the latest checkpoint is false: {error}") from error

    def _in_file(self, latest: str) -> Checkpoint | None:
        try:
            note = self._file.read_text(encoding="utf-8")
            return None if note == latest else open_checkpoint(note, self._verifier)
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError, InputError, IntegrityError) as error:
            _logger.warning("%s cannot be read and is written anew: %s", self._file, error)
            return None
