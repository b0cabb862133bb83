# SPDX-License-Identifier: Apache-2.0
"""Decide every column's type: as declared, else by its role, else the narrowest that its values fit."""

import math
from typing import Any

from components.ingest.contract import Checked, cast
from kelp.errors import DataError
from kelp.spec import Model

MAX_CATEGORIES = 200
_CANDIDATES = {  # by the type in `raw`; tried in this order
    "VARCHAR": ("int", "float", "timestamp", "bool"),
    "BOOLEAN": ("bool",),
    "TIMESTAMPTZ": ("timestamp",),
}


def infer(connection: Any, model: Model, source: dict[str, str], place: str) -> tuple[Checked, ...]:
    """Decide about every column of `raw`, in the order of the source.

    Args:
        connection: has `raw`.
        model: its declared columns and its roles come first.
        source: the type in `raw` of each column.
        place: the source's address, for messages.

    Raises:
        DataError: a column that the spec names is not in the source, or an undeclared one is, and that is refused.
    """
    data = model.spec.data
    _refuse_wrong_columns(model, source, place)
    required = {data.target, data.id, data.time}
    columns = []
    for position, (name, raw_type) in enumerate(source.items()):
        column = data.columns.get(name)
        kind = column.type if column else _type_by_role(model, name)
        kind = kind or type_by_values(connection, Checked(name, position, raw_type, ""), data.max_bad_rows)
        kind = "string" if kind == "text" else kind
        columns.append(Checked(name, position, raw_type, kind, name in required, column))
    return tuple(columns)


def _refuse_wrong_columns(model: Model, source: dict[str, str], place: str) -> None:
    data, legacy = model.spec.data, model.spec.legacy
    named = [data.target, data.id, data.time, data.entity, *data.columns, legacy.column if legacy else None]
    wanted = [name for name in named if name is not None]
    missing = next((name for name in wanted if name not in source), None)
    if missing is not None:
        raise DataError(
            f"expected a column {missing!r}, found {', '.join(list(source)[:12])}",
            place=place,
            fix="correct the name in the spec or the data",
        )
    undeclared = next((name for name in source if name not in wanted), None)
    if data.columns_closed and undeclared is not None:
        raise DataError(
            f"expected only declared columns (columnsClosed), found {undeclared!r}",
            place=place,
            fix="declare it in spec.data.columns, with privacy: drop if it is not wanted",
        )


def _type_by_role(model: Model, name: str) -> str:
    data = model.spec.data
    if name == data.time:
        return "timestamp"
    if name in (data.id, data.entity):
        return "string"
    if name == data.target:
        return "float" if model.spec.task == "regression" else "category"
    return ""


def type_by_values(connection: Any, column: Checked, max_bad_rows: float) -> str:
    """Return the first type that all but the share `max_bad_rows` of the values fit; else category or string.

    A column is int only if every number in it is whole: a rare fraction makes it float, never a bad row.
    """
    kinds = _CANDIDATES.get(column.raw_type, ("int", "float"))
    fits = ", ".join(f"count({cast('value', kind)})" for kind in kinds)
    present, distinct, *found = connection.execute(
        f"SELECT count(value), approx_count_distinct(value), {fits} FROM (SELECT {column.present} AS value FROM raw)"
    ).fetchone()
    counts = dict(zip(kinds, found, strict=True))
    if counts.get("int", 0) < counts.get("float", 0):
        del counts["int"]
    least = present - math.floor(present * max_bad_rows)
    fitting = next((kind for kind, count in counts.items() if present and count >= least), "")
    is_few = distinct <= max(2, min(MAX_CATEGORIES, present // 5))
    return fitting or ("category" if is_few else "string")
