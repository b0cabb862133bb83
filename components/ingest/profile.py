# SPDX-License-Identifier: Apache-2.0
"""What a table looks like, for `kelp init`: each column's type, gaps and distinct values, by ingest's own rules."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.ingest.contract import Checked
from components.ingest.infer import type_by_values
from components.ingest.read import load_raw
from components.ingest.source import resolve
from components.ingest.sql import connect
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
    with tempfile.TemporaryDirectory(prefix="kelp-source-") as scratch:
        loaded = load_raw(connection, resolve(source, home, Path(scratch)), Path(scratch))
    if target not in loaded.columns:
        raise DataError(
            f"expected a column {target!r}, found {', '.join(list(loaded.columns)[:12])}",
            place=source,
            fix="name one of these as the target",
        )
    columns = (Checked(name, position, kind, "") for position, (name, kind) in enumerate(loaded.columns.items()))
    return [_column(connection, column) for column in columns]


def _column(connection: Any, column: Checked) -> ColumnProfile:
    values = f"(SELECT {column.present} AS value FROM raw)"
    rows, missing, distinct = connection.execute(
        f"SELECT count(*), count(*) FILTER (value IS NULL), count(DISTINCT value) FROM {values}"
    ).fetchone()
    labels: list[tuple[str]] = connection.execute(
        f"SELECT DISTINCT CAST(value AS VARCHAR) FROM {values} WHERE value IS NOT NULL ORDER BY 1 LIMIT {_FEW + 1}"
    ).fetchall()
    few = tuple(row[0] for row in labels) if len(labels) <= _FEW else ()
    return ColumnProfile(column.name, type_by_values(connection, column, _MAX_BAD_ROWS), rows, missing, distinct, few)
