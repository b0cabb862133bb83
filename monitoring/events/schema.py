# SPDX-License-Identifier: Apache-2.0
"""The SQLite file of kept events: its tables, how it is opened, and what its errors mean.

`events.seq` grows with every event and is never used again. `totals` counts since the file was begun: `stored`,
`repeated` and `dropped` events, and the `bytes` of the bodies that are there.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kelp.audit.schema import is_of_the_surroundings
from kelp.errors import EnvironmentFault, IntegrityError

DATABASE = "events.db"
FORMAT = 1
APPLICATION_ID = 0x6B656C65
BUSY_TIMEOUT_S = 4.0  # MUST be less than the model server's log waits for an answer

_MODE = 0o600  # events hold what callers sent
_SCHEMA = """
CREATE TABLE events (
  seq INTEGER PRIMARY KEY, source TEXT NOT NULL, id TEXT NOT NULL, request_id TEXT NOT NULL, model TEXT NOT NULL,
  version TEXT NOT NULL, arm TEXT NOT NULL, time REAL NOT NULL, body BLOB NOT NULL, UNIQUE (source, id)) STRICT;
CREATE INDEX events_of_request ON events (request_id);
CREATE TABLE totals (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO totals VALUES ('stored', 0), ('repeated', 0), ('dropped', 0), ('bytes', 0);
"""
_FIXES = {
    sqlite3.SQLITE_FULL: "free some space on its disk",
    sqlite3.SQLITE_BUSY: "another process holds it: see which one, and try again",
    sqlite3.SQLITE_LOCKED: "another process holds it: see which one, and try again",
}


def connect(path: Path, *, is_begun: bool) -> sqlite3.Connection:
    """Open the file, every commit on disk before it returns; make it, in WAL mode, unless it must be there."""
    if not is_begun:
        _make(path)
    uri = f"{path.absolute().as_uri()}?mode={'rw' if is_begun else 'rwc'}"
    database = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        if not is_begun:
            database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        database.close()
        raise
    return database


def is_empty(database: sqlite3.Connection) -> bool:
    """Whether nothing was ever written into it."""
    return bool(database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0)


def begin(database: sqlite3.Connection) -> None:
    """Write the tables, inside a transaction; nothing if there are any."""
    if is_empty(database):
        for statement in _SCHEMA.split(";"):
            database.execute(statement)
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {FORMAT}")


def check(database: sqlite3.Connection, path: Path) -> None:
    """Refuse a database that is no store of events, or one of another format.

    Raises:
        EnvironmentFault: it is.
    """
    found = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    if found[0] != APPLICATION_ID:
        raise EnvironmentFault(
            "expected a store of events, found another SQLite database", place=str(path), fix="move it away"
        )
    if found[1] != FORMAT:
        raise EnvironmentFault(
            f"expected a store of events of format {FORMAT}, found format {found[1]}",
            place=str(path),
            fix="use the kelp that wrote it, or move the file away: a new one is begun",
        )


def close_to_others(path: Path) -> None:
    """Let nobody but its owner read an open file, nor those beside it: an earlier kelp left that to the umask."""
    main = path.resolve()
    for file in (main, *(main.with_name(main.name + end) for end in ("-wal", "-shm"))):
        with suppress(FileNotFoundError):
            found = file.stat()
            if found.st_uid == os.geteuid() and found.st_mode & 0o077:
                file.chmod(_MODE)


def _make(path: Path) -> None:
    """Make an empty file for its owner alone, whatever the umask; SQLite gives those beside it the same mode.

    One that is there is NEVER opened: closing it would end the locks that another connection of this process holds.
    """
    with suppress(OSError):  # it is there, or SQLite will say why it cannot be
        os.close(os.open(path.resolve(), os.O_CREAT | os.O_EXCL | os.O_RDWR, _MODE))


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """Say what an SQLite error means for the file at `path`.

    Raises:
        EnvironmentFault: the disk is full, the file cannot be opened or stays locked.
        IntegrityError: it is damaged.
    """
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # a fault of the program, such as a store used after `close`
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter from a damaged file's own text
        if is_of_the_surroundings(error):
            raise EnvironmentFault(
                f"the events cannot be kept or read ({error})",
                place=str(path),
                fix=_FIXES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "check the permissions of its folder"),
            ) from error
        raise damaged(path, str(error)) from error


def damaged(path: Path, problem: str) -> IntegrityError:
    """The error of a file that is not what was written."""
    return IntegrityError(
        f"the store of events is damaged ({problem})", place=str(path), fix="move the file away: a new one is begun"
    )
