# SPDX-License-Identifier: Apache-2.0
"""Read a log's database as evidence: read-only, believing nothing, reporting what cannot be read.

Records are reduced to their leaf hashes and alias moves as they stream by, so a log larger than memory's comfort
costs about 300 bytes a record.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kelp.audit.log import ALIAS_MOVE
from kelp.audit.record import Record, record_from_bytes
from kelp.audit.schema import is_of_the_surroundings, statements
from kelp.audit.tree import leaf_hash
from kelp.errors import EnvironmentFault, IntegrityError, NotFound


@dataclass(slots=True)
class Evidence:
    """What the database says; nothing in it is trusted yet."""

    leaves: dict[int, bytes] = field(default_factory=dict)  # seq -> leaf hash of the record's bytes as they are
    malformed: dict[int, str] = field(default_factory=dict)  # seq -> why the bytes are not a record
    moves: list[Record] = field(default_factory=list)  # the alias moves, in order
    backdated: list[int] = field(default_factory=list)  # records dated before the one they follow
    nodes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    notes: dict[int, str] = field(default_factory=dict)  # size -> signed checkpoint
    aliases: dict[tuple[str, str], int] = field(default_factory=dict)
    damage: list[str] = field(default_factory=list)  # what SQLite itself says is wrong


def read_evidence(path: Path) -> Evidence:
    """Read the database at `path` as of one moment; a damaged part is reported and the rest still read.

    A copy is opened as immutable and left untouched. A database that a writer has open is read through its
    write-ahead log, with SQLite's usual locks. One that changes from the first into the second is read again.

    Raises:
        NotFound: there is no file.
        EnvironmentFault: it cannot be opened.
    """
    if not path.is_file():
        raise NotFound("there is no audit log here", place=str(path), fix="give the path of its audit.db")
    before = _state(path)
    is_still = not before[2]
    evidence = _read(path, immutable=is_still)
    if is_still and _state(path) != before:
        evidence = _read(path, immutable=False)
    return evidence


def _state(path: Path) -> tuple[int, int, bool]:
    """Return the file's size and time, and whether a write-ahead log holds anything more."""
    try:
        has_pending = path.with_name(f"{path.name}-wal").stat().st_size > 0
    except FileNotFoundError:
        has_pending = False
    file = path.stat()
    return file.st_size, file.st_mtime_ns, has_pending


def _read(path: Path, *, immutable: bool) -> Evidence:
    evidence = Evidence()
    uri = f"{path.resolve().as_uri()}?{'immutable=1' if immutable else 'mode=ro'}"
    try:
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=60)) as database:
            database.text_factory = bytes  # text may be anything
            database.execute("PRAGMA trusted_schema = OFF")
            database.execute("BEGIN")
            for read in (_schema, _records, _nodes, _notes, _aliases, _integrity):
                with _damage(evidence):
                    read(database, evidence)
    except (sqlite3.Error, ValueError) as error:
        if is_of_the_surroundings(error):
            raise EnvironmentFault(
                f"the database cannot be opened ({error})",
                place=str(path),
                fix="copy the whole folder to where you can write, and verify the copy",
            ) from error
        evidence.damage.append(f"the file is not a sound SQLite database ({error})")
    return evidence


@contextmanager
def _damage(evidence: Evidence) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, TypeError, ValueError) as error:  # ValueError: even SQLite's message may not be text
        if is_of_the_surroundings(error):
            raise
        message = f"the file is not a sound SQLite database ({error})"
        if message not in evidence.damage:
            evidence.damage.append(message)


def _schema(database: sqlite3.Connection, evidence: Evidence) -> None:
    """Compare the tables with the format's: a trigger or a view can make the log lie to its writer."""
    found = {
        " ".join(_text(sql).split()) for (sql,) in database.execute("SELECT sql FROM sqlite_schema WHERE sql NOTNULL")
    }
    expected = set(statements())
    evidence.damage.extend(
        f"the database holds more than an audit log: {sql[:200]}" for sql in sorted(found - expected)
    )
    evidence.damage.extend(f"the database lacks a table: {sql[:200]}" for sql in sorted(expected - found))


def _records(database: sqlite3.Connection, evidence: Evidence) -> None:
    latest = ""
    for row in database.execute("SELECT seq, body FROM records ORDER BY seq"):
        seq, raw = _integer(row[0]), _bytes(row[1])
        evidence.leaves[seq] = leaf_hash(raw)
        try:
            record = record_from_bytes(raw)
        except IntegrityError as error:
            evidence.malformed[seq] = error.message
            continue
        if record.seq != seq:
            evidence.malformed[seq] = f"calls itself record {record.seq}"
        if record.time < latest:
            evidence.backdated.append(seq)
        latest = record.time
        if record.action == ALIAS_MOVE:
            evidence.moves.append(record)


def _nodes(database: sqlite3.Connection, evidence: Evidence) -> None:
    for level, index, node in database.execute("SELECT level, position, hash FROM nodes"):
        evidence.nodes[_integer(level), _integer(index)] = _bytes(node)


def _notes(database: sqlite3.Connection, evidence: Evidence) -> None:
    for size, note in database.execute("SELECT size, note FROM checkpoints ORDER BY size"):
        evidence.notes[_integer(size)] = _text(note)


def _aliases(database: sqlite3.Connection, evidence: Evidence) -> None:
    for model, alias, version in database.execute("SELECT model, alias, version FROM aliases"):
        evidence.aliases[_text(model), _text(alias)] = _integer(version)


def _integrity(database: sqlite3.Connection, evidence: Evidence) -> None:
    for (found,) in database.execute("PRAGMA integrity_check(3)"):
        if found != b"ok":
            evidence.damage.append(f"SQLite reports: {' '.join(_text(found).split())}")


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _integer(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"an integer was expected, found {type(value).__name__}")
    return value


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"bytes were expected, found {type(value).__name__}")
    return value
