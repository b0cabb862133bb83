# SPDX-License-Identifier: Apache-2.0
"""Decide every column's type: as declared, else by its role, else the narrowest that its values fit.

Pure: from the statistics of the columns, without the rows.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from components.ingest.contract import Checked
from components.ingest.look import Table
from components.ingest.spelling import Spelling
from components.ingest.statistics import CANDIDATES, MAX_CATEGORIES, NUMBERS, ColumnStatistics
from kelp.errors import DataError
from kelp.spec import Model


def infer(model: Model, table: Table, place: str) -> tuple[Checked, ...]:
    """Decide about every column, in the order of the source.

    Args:
        model: its declared columns and its roles come first.
        table: the columns of the source and what their values look like.
        place: the source's address, for messages.

    Raises:
        DataError: a column that the spec names is not in the source, or an undeclared one is, and that is refused.
    """
    data = model.spec.data
    _refuse_wrong_columns(model, table.types, place)
    is_forecast = model.spec.task == "forecast"
    keys = data.series.key if data.series else ()
    required = {None if is_forecast else data.target, data.id, data.time, *keys}
    columns = []
    for position, (name, raw_type) in enumerate(table.types.items()):
        column, found = data.columns.get(name), table.statistics[name]
        kind = column.type if column else _type_by_role(model, name)
        kind = kind or type_by_values(found, raw_type, data.max_bad_rows, table.has_commas)
        spelling = spelling_of(found, kind, table.has_commas) if raw_type == "VARCHAR" else "plain"
        columns.append(Checked(name, position, raw_type, kind, name in required, column, spelling))
    return _with_text(model, tuple(columns), table.statistics)


def _with_text(
    model: Model, columns: tuple[Checked, ...], statistics: Mapping[str, ColumnStatistics]
) -> tuple[Checked, ...]:
    """For task text: the undeclared column of the longest texts is the text, unless one is declared."""
    if model.spec.task != "text" or any(column.type == "text" for column in columns):
        return columns
    free = [column for column in columns if column.column is None and not _type_by_role(model, column.name)]
    strings = [column for column in free if column.type == "string"] or [c for c in free if c.type == "category"]
    if not strings:
        return columns
    longest = max(strings, key=lambda column: _mean_length(statistics[column.name]))
    return tuple(replace(column, type="text") if column is longest else column for column in columns)


def _mean_length(column: ColumnStatistics) -> float:
    return column.letters / max(column.present, 1)


def _refuse_wrong_columns(model: Model, source: Mapping[str, str], place: str) -> None:
    data, legacy = model.spec.data, model.spec.legacy
    named = [data.target, data.id, data.time, data.entity, *data.columns, legacy.column if legacy else None]
    named += [name for feature in model.spec.features for name in (feature.by, feature.over)]
    named += [*data.series.key, *data.series.known_ahead] if data.series else []
    named += [*data.series.key, *data.series.known_ahead] if data.series else []
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
        return "float" if model.spec.task in ("regression", "forecast") else "category"
    if data.series and name in data.series.key:
        return "category"
    return ""


def type_by_values(column: ColumnStatistics, raw_type: str, max_bad_rows: float, has_commas: bool) -> str:
    """Return the first type that all but the share `max_bad_rows` of the values fit; else category or string.

    A column is int only if every number in it is whole: a rare fraction makes it float, never a bad row.
    """
    counts = {kind: _fitting(column, kind, has_commas) for kind in CANDIDATES.get(raw_type, NUMBERS)}
    if counts.get("int", 0) < counts.get("float", 0):
        del counts["int"]
    least = column.present - math.floor(column.present * max_bad_rows)
    fitting = next((kind for kind, count in counts.items() if column.present and count >= least), "")
    is_few = column.marks is not None and len(column.marks) <= max(2, min(MAX_CATEGORIES, column.present // 5))
    return fitting or ("category" if is_few else "string")


def _fitting(column: ColumnStatistics, kind: str, has_commas: bool) -> int:
    spelling = spelling_of(column, kind, has_commas)
    return column.fits.get(kind if spelling == "plain" else f"{kind} {spelling}", 0)


def spelling_of(column: ColumnStatistics, kind: str, has_commas: bool) -> Spelling:
    """Return how the numbers or times of a text column are written, if `kind` is a type of such.

    Commas have to make more values fit, unless they are declared. A day or a month of more than 12 decides between
    the orders of dates; without one the column is of no order, so its dates do not fit.
    """
    fits = column.fits
    if kind in NUMBERS:
        is_comma = has_commas or (column.commas > 0 and fits.get("float comma", 0) > fits.get("float", 0))
        return "comma" if is_comma else "plain"
    day, month = fits.get("timestamp day-first", 0), fits.get("timestamp month-first", 0)
    if kind != "timestamp" or max(day, month) <= fits.get("timestamp", 0) or day == month:
        return "plain"
    return "day-first" if day > month else "month-first"


def has_ambiguous_dates(column: ColumnStatistics) -> bool:
    """Whether the values are dates that both orders read, and all that says which is their own meaning."""
    day, month = column.fits.get("timestamp day-first", 0), column.fits.get("timestamp month-first", 0)
    return day == month > column.present / 2
