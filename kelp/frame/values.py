# SPDX-License-Identifier: Apache-2.0
"""Check the JSON values of one raw column and turn them into its numpy array.

Both request protocols end here, so a value is accepted or refused alike however it arrived.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Never

import numpy as np

from kelp.errors import RequestError
from kelp.frame.parts import FLOAT32_MAX, YEAR_1, YEAR_9999
from kelp.frame.transform import Column, RawColumn

Place = Callable[[int], str]
"""From a row's position to the words that name the value in a message: `instances[3].amount`."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_ECHO = 40  # characters of a refused string that are sent back
_EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "a string",
    "category": "a string",
    "text": "a string",
    "timestamp": "an ISO 8601 string or seconds since 1970",
}


def column_from_values(column: RawColumn, values: Sequence[object], place: Place) -> Column:
    """Convert values as a JSON parser gives them; None is missing.

    Args:
        column: what the model declares.
        values: n values of type str, int, float, bool, None; anything else is refused.
        place: names a value in the message of an error.

    Returns:
        shape (n,), in the representation that `kelp.frame.transform` states.

    Raises:
        RequestError: a value is of another type, outside `min` and `max`, not finite, or missing where it may not be.
    """
    if column.type in ("string", "category", "text"):
        return _strings(column, values, place)
    if column.type == "bool":
        return _bools(column, values, place)
    if column.type == "timestamp":
        values = [_seconds(value) if type(value) is str else value for value in values]
    return _numbers(column, values, place)


def _numbers(column: RawColumn, values: Sequence[object], place: Place) -> Column:
    # A loop, not array operations: a request has few rows, and fifty calls into numpy cost more than the loop.
    least, greatest = column.limits
    is_whole = column.type == "int"
    numbers = np.empty(len(values))
    for row, value in enumerate(values):
        if (type(value) is float or type(value) is int) and least <= value <= greatest:
            if is_whole and value != int(value):
                refuse(column, value, place(row))
            numbers[row] = value
        elif value is None and column.nullable:
            numbers[row] = np.nan
        else:
            refuse(column, value, place(row))
    return numbers


def _bools(column: RawColumn, values: Sequence[object], place: Place) -> Column:
    for row, value in enumerate(values):
        if not (type(value) is bool or (value is None and column.nullable)):
            refuse(column, value, place(row))
    return np.array(values, dtype=np.float64)  # None becomes NaN


def _strings(column: RawColumn, values: Sequence[object], place: Place) -> Column:
    for row, value in enumerate(values):
        if not (type(value) is str or (value is None and column.nullable)):
            refuse(column, value, place(row))
    return np.array(values, dtype=object)


def _seconds(text: str) -> float | str:
    """Seconds since the epoch of an ISO 8601 string, UTC where it names no zone; the string itself if it is none."""
    try:
        moment = datetime.fromisoformat(text)
        return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH).total_seconds()
    except (ValueError, OverflowError):
        return text


def refuse(column: RawColumn, value: object, place: str) -> Never:
    """Raise the RequestError that says what the column expects and what was found, unless that is private."""
    expected = _EXPECTED[column.type] + _bounds(column) + (" or null" if column.nullable else "")
    found = "another kind of value" if column.private and value is not None else described(value)
    raise RequestError(f"expected {expected}, found {found}", place=place)


def _bounds(column: RawColumn) -> str:
    if column.type not in ("int", "float", "timestamp"):
        return ""
    least, greatest = column.limits
    unbounded = (YEAR_1, YEAR_9999) if column.type == "timestamp" else (-FLOAT32_MAX, FLOAT32_MAX)
    match least != unbounded[0], greatest != unbounded[1]:
        case True, True:
            return f" between {least:.15g} and {greatest:.15g}"
        case True, False:
            return f" >= {least:.15g}"
        case False, True:
            return f" <= {greatest:.15g}"
    if column.type == "timestamp":
        return " within the years 1 to 9999"
    return " within the range of float32"


def described(value: object) -> str:
    """Name a JSON value in a message, long ones cut short."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            is_long = len(value) > _LONGEST_ECHO
            return f'the string "{value[:_LONGEST_ECHO]}{"..." if is_long else ""}"'
        case float():
            return f"{value:.15g}"
        case int():
            return str(value) if abs(value) < 10**_LONGEST_ECHO else "a number of more than 40 digits"
        case list():
            return "a list"
        case dict():
            return "an object"
    return f"a {type(value).__name__}"
