# SPDX-License-Identifier: Apache-2.0
"""What is odd about a source without being wrong: one text each, for `ingest.json` and the log."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from components.ingest.contract import TEXTS, Checked
from components.ingest.infer import has_ambiguous_dates
from components.ingest.look import Look, Table
from components.ingest.statistics import ColumnStatistics
from kelp.spec import Model

_MANY_CATEGORIES = 10_000
_HALF_WAY_FROM = 10  # a change after fewer rows is no change of the source


def of_files(files: Sequence[tuple[str, Look]]) -> Iterator[str]:
    """What had to be assumed to read each file."""
    yield from (f"{name} {look.assumed}" for name, look in files if look.assumed)


def of_texts(columns: tuple[Checked, ...], table: Table, files: Sequence[tuple[str, Look]]) -> Iterator[str]:
    """What the spelling of the values says: ambiguous dates and numbers, mixed time zones, a change half-way."""
    with_commas = next((column.name for column in columns if column.spelling == "comma"), None)
    for column in (column for column in columns if column.raw_type == "VARCHAR"):
        found = table.statistics[column.name]
        if column.type in TEXTS:
            yield from _of_text(column, found, table.rows, files)
        if column.type == "timestamp" and column.spelling == "plain" and len(found.offsets) > 1:
            zones = ", ".join(found.offsets[:5])
            yield f"column {column.name} mixes time zones ({zones}); its values were converted to UTC"
        if column.type == "float" and column.spelling == "plain" and with_commas is not None:
            yield (
                f"column {column.name} has decimal points, column {with_commas} decimal commas; "
                "if 1.234 means 1234, declare `decimal: ','` in spec.data.csv"
            )


def _of_text(column: Checked, found: ColumnStatistics, rows: int, files: Sequence[tuple[str, Look]]) -> Iterator[str]:
    if has_ambiguous_dates(found):
        yield (
            f"column {column.name} has dates that could begin with the day or the month; it stays {column.type}: "
            "write them as 2024-12-31"
        )
    if found.first_other is not None and found.first_other > max(rows / 2 + 1, _HALF_WAY_FROM):
        place = _place(found.first_other, files)
        yield f"column {column.name} changes from numbers to texts at {place}; it is {column.type}"


def _place(row: int, files: Sequence[tuple[str, Look]]) -> str:
    """The file and the row in it of a row of the whole source."""
    for name, look in files:
        if row <= look.rows:
            return f"{name}, row {row}"
        row -= look.rows
    raise AssertionError("a row of no file")


def of_values(profile: Mapping[str, Mapping[str, Any]], rows: int) -> Iterator[str]:
    """What the counts of values say about each column."""
    for name, column in profile.items():
        if column["missing"] == rows:
            yield f"column {name} has no values"
        elif column["distinct"] == 1 and column["missing"] == 0:
            yield f"column {name} has the same value in every row"
        elif column["type"] == "category" and column["distinct"] > _MANY_CATEGORIES:
            yield f"column {name} has {column['distinct']:,} categories; is it an id or a text?"


def of_rows(connection: Any, model: Model, columns: tuple[Checked, ...]) -> Iterator[str]:
    """Whole rows that stand twice; with an id there are none."""
    if model.spec.data.id is not None:
        return
    values = ", ".join(column.value for column in columns)
    # Of 10 million different rows two share a hash of 64 bits with a probability of 3 in a million.
    copies = connection.execute(
        f"SELECT count(*) - count(DISTINCT row) FROM (SELECT hash({values}) AS row FROM checked WHERE _reason IS NULL)"
    ).fetchone()[0]
    if copies:
        yield f"{copies:,} {'row is a copy' if copies == 1 else 'rows are copies'} of another row"


def of_times(connection: Any, model: Model, columns: tuple[Checked, ...], now: datetime) -> Iterator[str]:
    """Columns that know what happens after a row's own time, and rows of the future."""
    data = model.spec.data
    time = next((column for column in columns if column.name == data.time), None)
    if time is None:
        return
    others = [column for column in columns if _is_feature_of_time(model, column)]
    counts = "".join(f", count(*) FILTER ({column.value} > {time.value})" for column in others)
    moment = f"TIMESTAMP '{now:%Y-%m-%d %H:%M:%S.%f}'"
    rows, future, *later = connection.execute(
        f"SELECT count(*), count(*) FILTER ({time.value} > {moment}){counts} FROM checked WHERE _reason IS NULL"
    ).fetchone()
    for column, count in zip(others, later, strict=True):
        if count:
            yield (
                f"column {column.name} lies after {time.name} in {_share(count, rows)} of the rows: it knows what "
                "happens later; declare it `feature: false` unless it is known in advance"
            )
    if future and model.spec.task != "forecast":
        yield f"{future:,} rows have a {time.name} after now ({now:%Y-%m-%d %H:%M} UTC)"


def _is_feature_of_time(model: Model, column: Checked) -> bool:
    data, declared = model.spec.data, column.column
    if column.type != "timestamp" or column.name in (data.time, data.target):
        return False
    if declared is None or declared.feature is None:
        return declared is None or declared.privacy == "none"
    return declared.feature


def _share(count: int, rows: int) -> str:
    return f"{count / rows:.0%}" if count / rows >= 0.01 else "less than 1%"
