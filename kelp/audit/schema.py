# SPDX-License-Identifier: Apache-2.0
"""The SQLite file of an audit log: its tables, how it is opened, and what its errors mean.

`records`, `nodes` and `checkpoints` are the log (format 1, docs/audit-log.md); `aliases` is what replaying the
records gives; `requests` (idempotency keys) and `unpublished` (aliases whose copy is still to be written) are the
writer's own and are vouched for by nobody.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kelp.errors import EnvironmentFault, IntegrityError

DATABASE = "audit.db"
FORMAT = 1
APPLICATION_ID = 0x6B656C70  # "kelp"
BUSY_TIMEOUT_S = 30.0

SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE records (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE nodes (level INTEGER, position INTEGER, hash BLOB NOT NULL, PRIMARY KEY (level, position))
  STRICT, WITHOUT ROWID;
CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;
CREATE TABLE aliases (model TEXT, alias TEXT, version INTEGER NOT NULL, PRIMARY KEY (model, alias))
  STRICT, WITHOUT ROWID;
CREATE TABLE requests (actor TEXT, key TEXT, seq INTEGER NOT NULL, PRIMARY KEY (actor, key))
  STRICT, WITHOUT ROWID;
CREATE TABLE unpublished (model TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""


def statements() -> list[str]:
    """Return the schema's statements, one table each, as SQLite stores them."""
    return [" ".join(statement.split()) for statement in SCHEMA.split(";") if statement.strip()]


def connect(path: Path) -> sqlite3.Connection:
    """Open a log for writing: WAL, every commit on disk before it returns, waiting for other writers."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


VERIFY = "run `kelp audit verify`: it names what was changed"
_SURROUNDINGS = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)


def is_of_the_surroundings(error: Exception) -> bool:
    """Tell a full disk, a lock or a permission from a damaged file."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _SURROUNDINGS


@contextmanager
def database_faults(path: Path) -> Iterator[None]:
    """Say what an SQLite error means for the log at `path`.

    Raises:
        EnvironmentFault: the disk is full, the file cannot be opened or stays locked.
        IntegrityError: the file is damaged or its rows contradict each other.
    """
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # a fault of the program, such as a log used after `close`
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter from a damaged file's own text
        if is_of_the_surroundings(error):
            raise EnvironmentFault(
                f"the audit log cannot be used ({error})",
                place=str(path),
                fix="check the disk's space and the file's permissions, then try again",
            ) from error
        raise damaged(path, f"the audit log is damaged ({error})") from error


def damaged(path: Path, message: str) -> IntegrityError:
    """Return the error for a log that contradicts itself."""
    return IntegrityError(message, place=str(path), fix=VERIFY)
