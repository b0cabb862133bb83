# SPDX-License-Identifier: Apache-2.0
"""V1 requests: the list `instances` becomes raw columns, or an error that names the cell."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from kelp.errors import RequestError
from kelp.frame.transform import Column, RawColumn, Transform
from kelp.frame.values import column_from_values, described

_ALL_WINDOWS = "send every window in every row, or none"


def columns_from_instances(transform: Transform, instances: object) -> dict[str, Column]:
    """Convert rows as a JSON parser gives them.

    A row is an object of raw columns by name, or a list of values in the transform's order of columns; all rows of
    a request are of one kind. Every declared column must be there unless it is optional; null is a value where the
    column is nullable. Either no row holds windows, or every row holds all of them: by name, or in the transform's
    order after the columns of a list. Keys that are not declared are ignored.

    Args:
        transform: declares the columns.
        instances: a list of n >= 1 rows.

    Returns:
        Every declared column, and every window if they were sent, each of shape (n,).

    Raises:
        RequestError: the rows are not of that form; the place names the first wrong one (`instances[3].amount`).
    """
    if not isinstance(instances, list):
        raise RequestError(f"expected a list of rows, found {described(instances)}", place="instances")
    if not instances:
        raise RequestError("expected one or more rows, found none", place="instances")
    if type(instances[0]) is list:
        return _from_lists(transform, instances)
    return _from_objects(transform, instances)


def instance_cell(column: str, row: int) -> str:
    """Name a cell in a message."""
    return f"instances[{row}].{column}"


def _from_objects(transform: Transform, rows: Sequence[Any]) -> dict[str, Column]:
    for position, row in enumerate(rows):
        if type(row) is not dict:
            raise RequestError(
                f"expected an object of columns by name, found {described(row)}",
                place=f"instances[{position}]",
                fix="send every row as an object, or every row as a list",
            )
    numbers = transform.number_block.of_objects(rows)
    columns: dict[str, Column]
    if numbers is not None and len(numbers) == len(transform.columns):
        columns = numbers
    else:
        columns = {
            column.name: numbers[column.name] if numbers and column.name in numbers else _of_objects(column, rows)
            for column in transform.columns
        }
    if any(window.name in row for window in transform.windows for row in rows):
        windows = {window.name: _of_objects(window, rows, _ALL_WINDOWS) for window in transform.window_columns}
        columns = {**columns, **windows}
    return columns


def _of_objects(column: RawColumn, rows: Sequence[Any], fix: str = "") -> Column:
    name = column.name
    try:
        values = [row.get(name) for row in rows] if column.optional else [row[name] for row in rows]
    except KeyError:
        first = next(position for position, row in enumerate(rows) if name not in row)
        raise RequestError(
            f"expected a {column.type}, found nothing: the key is absent",
            place=instance_cell(name, first),
            fix=fix or ("send null where the value is missing" if column.nullable else ""),
        ) from None
    return column_from_values(column, values, partial(instance_cell, name))


def _from_lists(transform: Transform, rows: Sequence[Any]) -> dict[str, Column]:
    columns = transform.columns
    if transform.windows and len(rows[0]) > len(columns):
        columns = (*columns, *transform.window_columns)
    for position, row in enumerate(rows):
        if type(row) is not list or len(row) != len(columns):
            found = f"{len(row)}" if type(row) is list else described(row)
            names = ", ".join(column.name for column in columns)
            raise RequestError(
                f"expected a list of {len(columns)} values ({names}), found {found}", place=f"instances[{position}]"
            )
    return {
        column.name: column_from_values(column, [row[position] for row in rows], partial(instance_cell, column.name))
        for position, column in enumerate(columns)
    }
