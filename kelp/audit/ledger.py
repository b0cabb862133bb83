# SPDX-License-Identifier: Apache-2.0
"""The log's one writer: turns events into records, grows the tree, signs a checkpoint for every commit.

Any number of processes may each hold a `Ledger` on the same folder: SQLite's write lock orders their commits, and
each one first checks that what it is about to extend is what was signed before. A ledger acts for any actor it is
told; `kelp.audit.sqlite.LocalLog` fixes one.
"""

import logging
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from kelp.audit import rows
from kelp.audit.continuity import Continuity
from kelp.audit.log import ALIAS_MOVE, AliasMove, Entry, Event, PublishAliases
from kelp.audit.note import Checkpoint, Signer
from kelp.audit.projection import CHECKPOINT_FILE, VKEY_FILE, exclusive, replace_text
from kelp.audit.record import new_record
from kelp.audit.schema import APPLICATION_ID, DATABASE, FORMAT, connect, damaged, database_faults, statements
from kelp.audit.tree import EMPTY_ROOT, Frontier, leaf_hash
from kelp.errors import Conflict, EnvironmentFault, InputError, IntegrityError, KelpError

_logger = logging.getLogger(__name__)


def utc_now() -> datetime:
    """Return the machine's clock."""
    return datetime.now(UTC)


def new_origin() -> str:
    """Return the name of a log that is about to begin."""
    return f"kelp.dev/log/{secrets.token_hex(8)}"


class Ledger:
    """An open log for writing; safe to share between threads."""

    def __init__(
        self,
        folder: Path,
        *,
        seed: bytes,
        publish_aliases: PublishAliases | None = None,
        clock: Callable[[], datetime] = utc_now,
        name_origin: Callable[[], str] = new_origin,
    ) -> None:
        """Open the log in `folder`, or begin one there; finish what a killed process left undone.

        Args:
            folder: holds `audit.db`, `checkpoint` and `vkey`.
            seed: 32 bytes, the Ed25519 seed of the log's key.
            publish_aliases: called after each move with all aliases of the model; None leaves them to the next
                ledger that has one.
            clock: gives the records' time, timezone-aware.
            name_origin: names a new log.

        Raises:
            InputError: the folder holds something else, or a log of another key.
            IntegrityError: the database is gone although a checkpoint of it is here, or it is damaged.
            EnvironmentFault: it cannot be opened.
        """
        self.path = folder / DATABASE
        self._folder = folder
        self._clock = clock
        self._publish_aliases = publish_aliases
        self._lock = threading.RLock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with exclusive(folder / ".open.lock"), database_faults(self.path):
                self._db = connect(self.path)
                try:
                    self.signer = self._begin_or_resume(seed, name_origin)
                except BaseException:
                    self._db.close()
                    raise
        except OSError as error:
            raise EnvironmentFault(
                f"the audit log cannot be opened ({error.strerror})",
                place=str(folder),
                fix="check the folder's permissions",
            ) from error
        self._continuity = Continuity(folder, self.signer.verifier)
        try:
            self._heal()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the database as of one moment."""
        with self._lock, database_faults(self.path):
            self._db.execute("BEGIN")
            try:
                yield self._db
            finally:
                self._db.execute("ROLLBACK")

    def append(self, actor: str, events: Sequence[Event]) -> list[Entry]:
        """Add records in one commit under one checkpoint; all or none.

        Raises:
            InputError: an event is not a record, or is an alias move in disguise.
            Conflict: an event's key was used for another record.
        """
        if any(event.action == ALIAS_MOVE for event in events):
            raise InputError(f"{ALIAS_MOVE} cannot be appended", place="action", fix="move the alias itself")
        entries = self._commit(actor, events, None)
        self._write_checkpoint()
        return entries

    def move(self, actor: str, move: AliasMove) -> Entry:
        """Move an alias if it stands where the caller expects; see `AuditLog.move_alias`."""
        (entry,) = self._commit(actor, [move.event()], move)
        self._write_checkpoint()
        try:
            self._publish()
        except (KelpError, OSError) as error:
            raise EnvironmentFault(
                f"{move.alias} of {move.model} was moved (record {entry.seq}), "
                f"but the registry's copy could not be written: {error}",
                place=str(self.path),
                fix="repair the registry; opening the log again, or the next move, writes the copy",
            ) from error
        return entry

    def _begin_or_resume(self, seed: bytes, name_origin: Callable[[], str]) -> Signer:
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found == 0:
            self._begin(Signer(name_origin(), seed))
        elif found != FORMAT:
            raise InputError(f"audit log format {FORMAT} was expected, found {found}", place=str(self.path))
        meta = rows.meta(self._db)
        signer = Signer(meta.get("origin", ""), seed)
        if str(signer.verifier) != meta.get("vkey"):
            raise InputError(
                f"the log was begun with another key: {meta.get('vkey')}",
                place=str(self.path),
                fix="restore that key, or point `audit` in home.toml at a new folder",
            )
        return signer

    def _begin(self, signer: Signer) -> None:
        if (self._folder / CHECKPOINT_FILE).exists():
            raise damaged(self.path, "the log's database is gone, though a checkpoint of it is still here")
        if self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            raise InputError("an audit log was expected, found another SQLite database", place=str(self.path))
        with self._transaction():
            for statement in statements():
                self._db.execute(statement)
            self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._db.execute(f"PRAGMA user_version = {FORMAT}")
            rows.set_meta(self._db, origin=signer.verifier.name, vkey=str(signer.verifier))
            empty = Checkpoint(signer.verifier.name, 0, EMPTY_ROOT)
            rows.add_checkpoint(self._db, 0, signer.sign(empty.text()))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _commit(self, actor: str, events: Sequence[Event], move: AliasMove | None) -> list[Entry]:
        """Add the events' records and sign once; with `move`, the only event is its record."""
        with self._lock, database_faults(self.path), self._transaction():
            head = frontier = self._continuity.checked_head(self._db)
            entries = []
            for event in events:
                entry = self._repeated(actor, event)
                if entry is None:
                    if move is not None:
                        self._compare_and_set(move, frontier.size)
                    entry, frontier = self._add(actor, event, frontier)
                entries.append(entry)
            if frontier.size == head.size:
                return entries
            checkpoint = Checkpoint(self.signer.verifier.name, frontier.size, frontier.root())
            note = self.signer.sign(checkpoint.text())
            rows.add_checkpoint(self._db, checkpoint.size, note)
        self._continuity.remember(note, checkpoint)  # only now is it committed
        return [entry if entry.checkpoint else Entry(entry.record, note) for entry in entries]

    def _add(self, actor: str, event: Event, frontier: Frontier) -> tuple[Entry, Frontier]:
        record = new_record(
            seq=frontier.size,
            now=self._clock(),
            actor=actor,
            action=event.action,
            subject=event.subject,
            detail=event.detail,
        )
        body = record.to_bytes()
        frontier, completed = frontier.add(leaf_hash(body))
        rows.add_record(self._db, record.seq, body, completed)
        if event.key is not None:
            rows.add_request(self._db, actor, event.key, record.seq)
        return Entry(record), frontier

    def _repeated(self, actor: str, event: Event) -> Entry | None:
        """Return the entry this event's key stands for already.

        Raises:
            Conflict: the key stands for another record.
        """
        seq = rows.request(self._db, actor, event.key) if event.key is not None else None
        if seq is None:
            return None
        record = rows.record(self._db, seq)
        again = record.model_copy(update={"action": event.action, "subject": event.subject, "detail": event.detail})
        if again.to_bytes() != record.to_bytes():
            raise Conflict(
                f"the key {event.key} was used for another record ({seq}, {record.action} {record.subject})",
                fix="use a new key for a new record",
            )
        return Entry(record, rows.first_checkpoint_over(self._db, seq))

    def _compare_and_set(self, move: AliasMove, seq: int) -> None:
        current = rows.aliases(self._db, move.model).get(move.alias)
        if current != move.expected:
            raise Conflict(
                f"{move.alias} of {move.model} was expected at {_or_nothing(move.expected)}, "
                f"it is at {_or_nothing(current)}",
                place=f"{move.model}/{move.alias}",
                fix="read the aliases again and decide anew",
            )
        rows.set_alias(self._db, move.model, move.alias, move.version)
        rows.mark_unpublished(self._db, move.model, seq)

    def _heal(self) -> None:
        """Write the copies that a killed process did not; a log that contradicts itself keeps its evidence."""
        try:
            with self._lock, database_faults(self.path), self._transaction():
                self._continuity.checked_head(self._db)
        except IntegrityError as error:
            _logger.warning("nothing more is signed in this log: %s (%s)", error, error.fix)
            return
        self._write_checkpoint()
        try:
            self._publish()
        except (KelpError, OSError) as error:
            _logger.warning("the registry's copy of the aliases could not be written: %s", error)

    def _write_checkpoint(self) -> None:
        """Bring the `checkpoint` and `vkey` files up to date; the record is committed whether or not this works."""
        try:
            with exclusive(self._folder / ".checkpoint.lock"):
                with self.reading() as database:
                    _, note = rows.latest_checkpoint(database)
                replace_text(self._folder / CHECKPOINT_FILE, note)
                if not (self._folder / VKEY_FILE).exists():
                    replace_text(self._folder / VKEY_FILE, f"{self.signer.verifier}\n")
        except (KelpError, OSError) as error:
            _logger.warning("the file %s could not be written: %s", self._folder / CHECKPOINT_FILE, error)

    def _publish(self) -> None:
        """Write the registry's copy of every model whose aliases moved since; one process at a time."""
        if self._publish_aliases is None:
            return
        with exclusive(self._folder / ".aliases.lock"):
            with self.reading() as database:
                pending = [(model, seq, rows.aliases(database, model)) for model, seq in rows.unpublished(database)]
            for model, seq, aliases in pending:
                self._publish_aliases(model, aliases)
                with self._lock, database_faults(self.path):
                    rows.mark_published(self._db, model, seq)


def _or_nothing(version: int | None) -> str:
    return "nothing" if version is None else str(version)
