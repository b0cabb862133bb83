# SPDX-License-Identifier: Apache-2.0
"""What a table looks like, for `kelp init`: each column's type, gaps and distinct values, by ingest's own rules."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.ingest.contract import Checked, type_by_values
from components.ingest.read import connect, load_raw
from components.ingest.source import resolve
from kelp.errors import DataError
from kelp.home import Home
from kelp.spec import Data

_FEW = 20
_MAX_BAD_ROWS: float = Data.model_fields["max_bad_rows"].default


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column: its inferred type, and counts over all rows; `labels` are the values when there are few."""

    name: str
    type: str
    rows: int
    missing: int
    distinct: int
    labels: tuple[str, ...]


def profile(source: str, target: str, home: Home) -> list[ColumnProfile]:
    """Look at every column of a source, in its order.

    Raises:
        DataError: the source cannot be read, or has no such target.
    """
    connection = connect()
    loaded = load_raw(connection, resolve(source, home, Path(home.store) / "profile"))
    if target not in loaded.columns:
        raise DataError(f"expected a column {target!r}, found {', '.join(list(loaded.columns)[:12])}", place=source)
    return [_column(connection, name, raw_type == "VARCHAR") for name, raw_type in loaded.columns.items()]


def _column(connection: Any, name: str, is_text: bool) -> ColumnProfile:
    checked = Checked(name, "string", is_text, required=False, column=None)
    values = f"(SELECT {checked.present} AS value FROM raw)"
    rows, missing, distinct = connection.execute(
        f"SELECT count(*), count(*) FILTER (value IS NULL), count(DISTINCT value) FROM {values}"
    ).fetchone()
    labels: list[tuple[str]] = connection.execute(
        f"SELECT DISTINCT CAST(value AS VARCHAR) FROM {values} WHERE value IS NOT NULL ORDER BY 1 LIMIT {_FEW + 1}"
    ).fetchall()
    few = tuple(row[0] for row in labels) if len(labels) <= _FEW else ()
    return ColumnProfile(name, type_by_values(connection, checked, _MAX_BAD_ROWS), rows, missing, distinct, few)
