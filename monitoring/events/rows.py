# SPDX-License-Identifier: Apache-2.0
"""Every SQL statement on kept events, one function each; no decisions."""

import sqlite3

_INSERT = """
INSERT INTO events (source, id, request_id, model, version, arm, time, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (source, id) DO NOTHING
"""

Row = tuple[str, str, str, str, str, str, float, bytes]
"""source, id, request_id, model, version, arm, time, body."""


def add(database: sqlite3.Connection, row: Row) -> bool:
    """Store an event, unless one of its source and id is there."""
    return database.execute(_INSERT, row).rowcount == 1


def bodies(database: sqlite3.Connection, request_id: str) -> list[bytes]:
    """The events of a request, in the order in which they came."""
    query = "SELECT body FROM events WHERE request_id = ? ORDER BY seq"
    return [body for (body,) in database.execute(query, (request_id,))]


def sizes(database: sqlite3.Connection) -> sqlite3.Cursor:
    """The seq and the body's bytes of every event but the newest, oldest first."""
    query = "SELECT seq, length(body) FROM events WHERE seq < (SELECT max(seq) FROM events) ORDER BY seq"
    return database.execute(query)


def remove_to(database: sqlite3.Connection, seq: int) -> None:
    """Remove the events up to this one."""
    database.execute("DELETE FROM events WHERE seq <= ?", (seq,))


def totals(database: sqlite3.Connection) -> dict[str, int]:
    """What was counted since the file was begun."""
    return dict(database.execute("SELECT name, value FROM totals"))


def count(database: sqlite3.Connection, **more: int) -> None:
    """Add to the totals."""
    query = "UPDATE totals SET value = value + ? WHERE name = ?"
    database.executemany(query, [(number, name) for name, number in more.items()])
