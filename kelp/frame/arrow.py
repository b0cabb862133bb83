# SPDX-License-Identifier: Apache-2.0
"""Arrow tables, as the pipeline keeps them in Parquet, become raw columns."""

from collections.abc import Callable
from typing import Any

import numpy as np

from kelp.errors import DataError
from kelp.frame.transform import Column, RawColumn, RawType, Transform


def columns_from_table(transform: Transform, table: Any) -> dict[str, Column]:
    """Convert the declared columns of a typed table, and the windows that stand in it; other columns are ignored.

    The values were checked when the data was ingested: neither `nullable` nor `min` and `max` are looked at.

    Args:
        transform: declares the columns.
        table: a `pyarrow.Table` of n rows. An int, float or bool column holds integers, floats, decimals or booleans;
            a timestamp column timestamps (UTC where they have no zone) or dates; a string or category column strings,
            dictionary-encoded or not.

    Returns:
        Every declared column and each window that is there, of shape (n,); null and NaN are missing.

    Raises:
        DataError: a column is absent or holds another type.
    """
    columns: dict[str, Column] = {}
    present = [window for window in transform.window_columns if window.name in table.column_names]
    for column in (*transform.columns, *present):
        if column.name not in table.column_names:
            raise DataError("the column is absent", place=f"column {column.name}", fix="keep it in the data")
        columns[column.name] = _column(column, table.column(column.name))
    return columns


def _column(column: RawColumn, cells: Any) -> Column:
    from pyarrow import types

    if types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    expected, convert = _CONVERSIONS[column.type]
    if _family(types, cells.type) != expected:
        raise DataError(
            f"expected {expected} for a column of type {column.type}, found {cells.type}",
            place=f"column {column.name}",
            fix="declare the column's type in the model spec, so that the data is read as that type",
        )
    return convert(cells)


def _family(types: Any, found: Any) -> str:
    if types.is_integer(found) or types.is_floating(found) or types.is_decimal(found) or types.is_boolean(found):
        return "numbers"
    if types.is_timestamp(found) or types.is_date(found):
        return "times"
    if types.is_string(found) or types.is_large_string(found) or types.is_string_view(found):
        return "strings"
    return "others"


def _to_numbers(cells: Any) -> Column:
    if cells.type == "bool":
        cells = cells.cast("uint8")  # there is no direct cast
    return _floats(cells.cast("float64", safe=False))


def _to_seconds(cells: Any) -> Column:
    """Seconds with microseconds as their fraction, the resolution at which an ISO 8601 string is read."""
    if cells.type in ("date32", "date64"):
        cells = cells.cast("timestamp[s]")
    if cells.type.unit != "ns":
        ticks_a_second = {"s": 1, "ms": 1_000, "us": 1_000_000}[cells.type.unit]
        return _floats(cells.cast("int64").cast("float64", safe=False)) / ticks_a_second
    is_missing = np.array(cells.is_null())
    nanoseconds = np.array(cells.cast("int64").fill_null(0))
    seconds = (nanoseconds // 1000) / 1e6
    seconds[is_missing] = np.nan
    return seconds


def _floats(cells: Any) -> Column:
    """A float64 column with null as NaN."""
    return np.array(cells, dtype=np.float64)


def _to_strings(cells: Any) -> Column:
    return np.array(cells, dtype=object)


_CONVERSIONS: dict[RawType, tuple[str, Callable[[Any], Column]]] = {
    "int": ("numbers", _to_numbers),
    "float": ("numbers", _to_numbers),
    "bool": ("numbers", _to_numbers),
    "timestamp": ("times", _to_seconds),
    "string": ("strings", _to_strings),
    "category": ("strings", _to_strings),
    "text": ("strings", _to_strings),
}
