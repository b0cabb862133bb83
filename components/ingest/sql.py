# SPDX-License-Identifier: Apache-2.0
"""The DuckDB of one step, and how values get into its SQL.

Columns are `c0`, `c1`, ... there, in the order of the source: a name from a file is only ever a literal, so nothing in
it can be mistaken for SQL, and `Amount` is not `amount` (DuckDB's identifiers know no case).
"""

import glob
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kelp.memory import memory_limit

_LEAST_MEMORY = 256 << 20  # bytes; DuckDB cannot work with less
_COLUMNS_A_QUERY = 250  # the time that DuckDB takes to stack columns grows with the square of their number
_CELLS_A_QUERY = 4_000_000  # a query a column is slow for wide tables, many columns at once take memory in long ones


@contextmanager
def opened(scratch: Path, memory: int = 0) -> Iterator[Any]:
    """A DuckDB in the folder `scratch` that keeps row order, speaks UTC and fetches no extensions.

    Args:
        scratch: an existing folder, for what does not fit into memory.
        memory: bytes; by default half of what the process may have.
    """
    import duckdb

    connection = duckdb.connect(
        config={
            "preserve_insertion_order": True,
            "autoinstall_known_extensions": False,
            "memory_limit": f"{memory or query_memory(memory_limit())}B",
            "temp_directory": str(scratch / "spilled"),
        },
    )
    try:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


def query_memory(limit: int) -> int:
    """Return half of the process's limit, in bytes: the rest is for Arrow, Python and what DuckDB does not count."""
    return max(_LEAST_MEMORY, limit // 2)


def literal(text: str) -> str:
    """Return a SQL string."""
    return "'" + text.replace("'", "''") + "'"


def file_literal(path: Path) -> str:
    """Return a SQL string that names this one file, also if its name looks like a glob."""
    return literal(glob.escape(str(path)))


def answers(
    connection: Any, relation: str, cells: Sequence[str], value: str, aggregates: Sequence[str], rows: int
) -> list[tuple[Any, ...]]:
    """Return the same aggregates of many columns, in their order.

    The cells of many columns are stacked into one column and grouped: the SQL of thousands of columns stays short.

    Args:
        connection: has the relation.
        relation: what may follow FROM; has `_row` and the cells.
        cells: of columns of one type.
        value: SQL over the cell `v`, for which `v` stands in the aggregates.
        aggregates: SQL over `v` and `_row`.
        rows: of the relation.
    """
    found: list[tuple[Any, ...]] = []
    step = min(_COLUMNS_A_QUERY, max(1, _CELLS_A_QUERY // max(rows, 1)))
    for start in range(0, len(cells), step):
        chunk = cells[start : start + step]
        stacked = f"unnest([{', '.join(chunk)}]) AS v, unnest(range({len(chunk)})) AS i"
        cell = stacked if len(chunk) > 1 else f"{chunk[0]} AS v, 0 AS i"
        stack = f"SELECT _row, {value} AS v, i FROM (SELECT _row, {cell} FROM {relation})"
        groups = connection.execute(f"SELECT i, {', '.join(aggregates)} FROM ({stack}) GROUP BY i").fetchall()
        by_position = {row[0]: row[1:] for row in groups}
        if not by_position:  # a relation without rows has no groups
            row = connection.execute(f"SELECT {', '.join(aggregates)} FROM ({stack})").fetchone()
            by_position = dict.fromkeys(range(len(chunk)), row)
        found += [by_position[position] for position in range(len(chunk))]
    return found
