# SPDX-License-Identifier: Apache-2.0
"""V1 requests: the list `instances` becomes raw columns, or an error that names the cell."""

from collections.abc import Callable, Sequence
from typing import Any

from kelp.errors import RequestError
from kelp.frame.transform import Column, Transform
from kelp.frame.values import column_from_values, described


def columns_from_instances(transform: Transform, instances: object) -> dict[str, Column]:
    """Convert rows as a JSON parser gives them.

    A row is an object of raw columns by name, or a list of values in the transform's order of columns; all rows of
    a request are of one kind. Every declared column must be there; null is a value where the column is nullable.
    Keys that are not declared are ignored.

    Args:
        transform: declares the columns.
        instances: a list of n >= 1 rows.

    Returns:
        Every declared column, each of shape (n,).

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


def _from_objects(transform: Transform, rows: Sequence[Any]) -> dict[str, Column]:
    for position, row in enumerate(rows):
        if type(row) is not dict:
            raise RequestError(
                f"expected an object of columns by name, found {described(row)}",
                place=f"instances[{position}]",
                fix="send every row as an object, or every row as a list",
            )
    columns: dict[str, Column] = {}
    for column in transform.columns:
        name = column.name
        try:
            values = [row[name] for row in rows]
        except KeyError:
            first = next(position for position, row in enumerate(rows) if name not in row)
            raise RequestError(
                f"expected a {column.type}, found nothing: the key is absent",
                place=f"instances[{first}].{name}",
                fix="send null where the value is missing" if column.nullable else "",
            ) from None
        columns[name] = column_from_values(column, values, _cell(name))
    return columns


def _from_lists(transform: Transform, rows: Sequence[Any]) -> dict[str, Column]:
    names = ", ".join(column.name for column in transform.columns)
    for position, row in enumerate(rows):
        if type(row) is not list or len(row) != len(transform.columns):
            found = f"{len(row)}" if type(row) is list else described(row)
            raise RequestError(
                f"expected a list of {len(transform.columns)} values ({names}), found {found}",
                place=f"instances[{position}]",
            )
    return {
        column.name: column_from_values(column, [row[position] for row in rows], _cell(column.name))
        for position, column in enumerate(transform.columns)
    }


def _cell(name: str) -> Callable[[int], str]:
    return lambda row: f"instances[{row}].{name}"
