# SPDX-License-Identifier: Apache-2.0
"""Every SQL statement on an open log, one function each; no decisions."""

import sqlite3
from collections.abc import Sequence

from kelp.audit.record import Record, record_from_bytes
from kelp.audit.tree import Node, NodeAt
from kelp.errors import IntegrityError, NotFound


def meta(database: sqlite3.Connection) -> dict[str, str]:
    """Return what the log knows of itself: `origin` and `vkey`."""
    return dict(database.execute("SELECT name, value FROM meta"))


def set_meta(database: sqlite3.Connection, **values: str) -> None:
    """Store what a new log knows of itself."""
    database.executemany("INSERT INTO meta VALUES (?, ?)", values.items())


def add_record(database: sqlite3.Connection, seq: int, body: bytes, nodes: Sequence[Node]) -> None:
    """Store a record with the tree nodes it completes."""
    database.execute("INSERT INTO records VALUES (?, ?)", (seq, body))
    database.executemany("INSERT INTO nodes VALUES (?, ?, ?)", [(n.level, n.index, n.hash) for n in nodes])


def record(database: sqlite3.Connection, seq: int) -> Record:
    """Return one record.

    Raises:
        NotFound: there is none at `seq`.
        IntegrityError: its bytes are not a record.
    """
    found = records(database, seq, 1)
    if not found or found[0].seq != seq:
        raise NotFound(f"there is no record {seq}", fix="see the log's size in its checkpoint")
    return found[0]


def records(database: sqlite3.Connection, start: int, limit: int) -> list[Record]:
    """Return up to `limit` records from `start` on.

    Raises:
        IntegrityError: a record's bytes are not a record, or say another seq.
    """
    found = []
    query = "SELECT seq, body FROM records WHERE seq >= ? ORDER BY seq LIMIT ?"
    for seq, body in database.execute(query, (start, limit)):
        try:
            one = record_from_bytes(body)
        except IntegrityError as error:
            raise IntegrityError(f"record {seq} {error.message}") from error
        if one.seq != seq:
            raise IntegrityError(f"at record {seq} stands one that calls itself {one.seq}")
        found.append(one)
    return found


def last_seq(database: sqlite3.Connection) -> int:
    """Return the highest seq, -1 without records."""
    found: int | None = database.execute("SELECT max(seq) FROM records").fetchone()[0]
    return -1 if found is None else found


def node_reader(database: sqlite3.Connection) -> NodeAt:
    """Return the stored tree as a function; it raises IntegrityError where a node is missing."""

    def node_at(level: int, index: int) -> bytes:
        query = "SELECT hash FROM nodes WHERE level = ? AND position = ?"
        found: tuple[bytes] | None = database.execute(query, (level, index)).fetchone()
        if found is None:
            raise IntegrityError(f"the tree's node ({level}, {index}) is missing")
        return found[0]

    return node_at


def add_checkpoint(database: sqlite3.Connection, size: int, note: str) -> None:
    """Store a signed checkpoint."""
    database.execute("INSERT INTO checkpoints VALUES (?, ?)", (size, note))


def latest_checkpoint(database: sqlite3.Connection) -> tuple[int, str]:
    """Return the largest checkpoint's size and note.

    Raises:
        IntegrityError: there is none.
    """
    query = "SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1"
    found: tuple[int, str] | None = database.execute(query).fetchone()
    if found is None:
        raise IntegrityError("the log has no checkpoint")
    return found


def first_checkpoint_over(database: sqlite3.Connection, seq: int) -> str | None:
    """Return the first note that covers record `seq`; None inside the commit that adds it."""
    query = "SELECT note FROM checkpoints WHERE size > ? ORDER BY size LIMIT 1"
    found: tuple[str] | None = database.execute(query, (seq,)).fetchone()
    return found[0] if found else None


def request(database: sqlite3.Connection, actor: str, key: str) -> int | None:
    """Return the seq an actor's idempotency key stands for."""
    query = "SELECT seq FROM requests WHERE actor = ? AND key = ?"
    found: tuple[int] | None = database.execute(query, (actor, key)).fetchone()
    return found[0] if found else None


def add_request(database: sqlite3.Connection, actor: str, key: str, seq: int) -> None:
    """Remember an idempotency key; a second one of the same actor is an error."""
    database.execute("INSERT INTO requests VALUES (?, ?, ?)", (actor, key, seq))


def aliases(database: sqlite3.Connection, model: str) -> dict[str, int]:
    """Return where a model's aliases stand, in alphabetical order."""
    return dict(database.execute("SELECT alias, version FROM aliases WHERE model = ? ORDER BY alias", (model,)))


def set_alias(database: sqlite3.Connection, model: str, alias: str, version: int | None) -> None:
    """Put an alias at `version`, or remove it."""
    database.execute("DELETE FROM aliases WHERE model = ? AND alias = ?", (model, alias))
    if version is not None:
        database.execute("INSERT INTO aliases VALUES (?, ?, ?)", (model, alias, version))


def unpublished(database: sqlite3.Connection) -> list[tuple[str, int]]:
    """Return the models whose aliases' copy is old, each with the seq of its last move."""
    return database.execute("SELECT model, seq FROM unpublished ORDER BY model").fetchall()


def mark_unpublished(database: sqlite3.Connection, model: str, seq: int) -> None:
    """Note that the move recorded as `seq` is not in the copy yet."""
    database.execute("INSERT OR REPLACE INTO unpublished VALUES (?, ?)", (model, seq))


def mark_published(database: sqlite3.Connection, model: str, seq: int) -> None:
    """Note that the copy holds every move up to `seq`; a later one stays marked."""
    database.execute("DELETE FROM unpublished WHERE model = ? AND seq <= ?", (model, seq))
