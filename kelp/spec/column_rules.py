# SPDX-License-Identifier: Apache-2.0
"""Rules between the fields of one declared column: pure, from a Column to the problems found in it."""

from collections.abc import Iterator

from kelp.spec.data import Column
from kelp.spec.types import format_percent

_NUMBERS = ("int", "float")
_WORDS = ("string", "category", "text")
_FILLS = {  # what `missing` may say of a column that has gaps
    "int": ("median", "mean", "mode", "constant", "drop"),
    "float": ("median", "mean", "mode", "constant", "drop"),
    "bool": ("mode", "constant", "drop"),
    "category": ("mode", "constant", "other", "drop"),
    "string": ("mode", "constant", "other", "drop"),
    "timestamp": ("drop",),
    "text": ("drop",),
}
_GROUPS = ("int", "bool", "category", "string")  # types of few enough values to compare groups by


def column_problems(column: Column, path: str) -> Iterator[str]:
    """Every broken rule of the column at `path`."""
    yield from _limits(column, path)
    yield from _missing(column, path)
    if column.privacy != "none" and (column.feature or column.protected):
        yield f"{path}.privacy: expected no feature and no group on a private column, found {column.privacy}"
    if column.protected and column.type not in _GROUPS:
        yield f"{path}.protected: expected a column of {', '.join(_GROUPS)}, found {column.type}"


def _limits(column: Column, path: str) -> Iterator[str]:
    for name, limit in (("min", column.min), ("max", column.max)):
        if limit is not None and column.type not in _NUMBERS:
            yield f"{path}.{name}: expected only on int and float, found it on {column.type}"
    if column.min is not None and column.max is not None and column.min > column.max:
        yield f"{path}.min: expected at most max ({column.max:g}), found {column.min:g}"
    for name, given in (("clip", column.clip), ("monotone", column.monotone)):
        if given is not None and column.type not in _NUMBERS:
            yield f"{path}.{name}: expected only on int and float, found it on {column.type}"
    if column.clip is not None and not 0 < column.clip < 0.5:
        yield f"{path}.clip: expected more than 0% and less than 50%, found {format_percent(column.clip)}"


def _missing(column: Column, path: str) -> Iterator[str]:
    allowed = _FILLS[column.type]
    if column.missing is not None and column.missing not in allowed:
        yield f"{path}.missing: expected {', '.join(allowed)} on {column.type}, found {column.missing}"
        return
    if (column.missing == "constant") != (column.fill is not None):
        found = "fill alone" if column.missing != "constant" else "missing alone"
        yield f"{path}.fill: expected together with `missing: constant`, found {found}"
    elif column.fill is not None and not _fits(column):
        wanted = "true or false" if column.type == "bool" else "a number" if column.type in _NUMBERS else "a word"
        yield f"{path}.fill: expected {wanted} on {column.type}, found {column.fill!r}"


def _fits(column: Column) -> bool:
    if column.type == "bool" or isinstance(column.fill, bool):
        return column.type == "bool" and isinstance(column.fill, bool)
    return isinstance(column.fill, str) == (column.type in _WORDS)
