# SPDX-License-Identifier: Apache-2.0
"""What a table looks like, for `kelp init`: each column's type, gaps and distinct values, by ingest's own rules."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.ingest.contract import present
from components.ingest.faults import file_faults
from components.ingest.infer import type_by_values
from components.ingest.look import Look, Table, look_at, whole_table
from components.ingest.read import Raw, read_file
from components.ingest.source import resolve
from components.ingest.sql import answers, opened
from kelp.errors import DataError
from kelp.home import Home
from kelp.spec.data import Csv, Data

_FEW = 20
_LABELS = "list_sort(list(DISTINCT CAST(v AS VARCHAR)) FILTER (v IS NOT NULL))"
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
    with tempfile.TemporaryDirectory(prefix="kelp-source-") as scratch, opened(Path(scratch)) as connection:
        raws: list[Raw] = []
        looks: list[tuple[str, Look]] = []
        for number, file in enumerate(resolve(source, home, Path(scratch))):
            with file_faults(file):
                raws.append(read_file(connection, file, number, Csv(), Path(scratch)))
                looks.append((file.name, look_at(connection, raws[-1])))
        table = whole_table(looks)
        if target not in table.types:
            raise DataError(
                f"expected a column {target!r}, found {', '.join(list(table.types)[:12])}",
                place=source,
                fix="name one of these as the target",
            )
        return _columns(connection, table, raws)


def _columns(connection: Any, table: Table, raws: Sequence[Raw]) -> list[ColumnProfile]:
    relation = _union(table, raws)
    found: dict[int, tuple[int, tuple[str, ...]]] = {}
    for kind in dict.fromkeys(table.types.values()):
        places = [place for place, other in enumerate(table.types.values()) if other == kind]
        cells, value = [f"c{place}" for place in places], present("v", kind)
        counts = answers(connection, relation, cells, value, ("count(DISTINCT v)",), table.rows)
        few = [index for index, (count,) in enumerate(counts) if count <= _FEW]
        lists = answers(connection, relation, [cells[index] for index in few], value, (_LABELS,), table.rows)
        labels = dict(zip(few, lists, strict=True))
        found |= {
            place: (counts[index][0], tuple((labels[index][0] or ()) if index in labels else ()))
            for index, place in enumerate(places)
        }
    return [
        ColumnProfile(
            name,
            type_by_values(table.statistics[name], kind, _MAX_BAD_ROWS, table.has_commas),
            table.rows,
            table.rows - table.statistics[name].present,
            *found[position],
        )
        for position, (name, kind) in enumerate(table.types.items())
    ]


def _union(table: Table, raws: Sequence[Raw]) -> str:
    """SQL: the cells of every file, columns in the order of the first."""
    parts = []
    for raw in raws:
        places = {name: position for position, name in enumerate(raw.columns)}
        cells = (f"CAST(c{places[name]} AS {kind}) AS c{at}" for at, (name, kind) in enumerate(table.types.items()))
        parts.append(f"SELECT _row, {', '.join(cells)} FROM {raw.relation}")
    return f"({' UNION ALL '.join(parts)})"
