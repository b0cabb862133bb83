# SPDX-License-Identifier: Apache-2.0
"""The DuckDB of one step, and how values get into its SQL.

Columns are `c0`, `c1`, ... there, in the order of the source: a name from a file is only ever a literal, so nothing in
it can be mistaken for SQL, and `Amount` is not `amount` (DuckDB's identifiers know no case).
"""

import glob
from pathlib import Path
from typing import Any


def connect() -> Any:
    """Open an in-memory DuckDB that keeps row order, speaks UTC and fetches no extensions."""
    import duckdb

    connection = duckdb.connect(config={"preserve_insertion_order": True, "autoinstall_known_extensions": False})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def literal(text: str) -> str:
    """Return a SQL string."""
    return "'" + text.replace("'", "''") + "'"


def file_literal(path: Path) -> str:
    """Return a SQL string that names this one file, also if its name looks like a glob."""
    return literal(glob.escape(str(path)))
