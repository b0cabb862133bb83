# SPDX-License-Identifier: Apache-2.0
"""Streams: what windows read. One stream is the events of all entities in one column, for the windows over it.

Here the cells of a column become events, and a `Series` answers windows; `kelp.frame.history` owns the entities.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from operator import methodcaller, sub
from sys import intern

from kelp.frame.parts import MOST_UNITS, RawType, Take, Window
from kelp.frame.series import Keeps, Series, Value
from kelp.frame.transform import Column

Measure = Callable[[Series, int, int, int], float]
"""From a series, positions [from, to) of one or more events, and the asking row's time in microseconds."""

NUMBERS: tuple[RawType, ...] = ("int", "float", "bool")
IF_EMPTY: dict[Take, float] = {"count": 0.0, "sum": 0.0, "distinct": 0.0}  # otherwise missing
_NEED_VALUES: tuple[Take, ...] = ("sum", "mean", "min", "max", "distinct")


class Stream:
    """Windows over one column by the same entities; `longest` is how far back any of them looks.

    `positions` says where each window's answers go.
    """

    def __init__(self, windows: Sequence[Window], positions: Sequence[int], kind: RawType) -> None:
        self.over = windows[0].over
        self.longest = max(window.start_us for window in windows)
        needs_values = any(window.take in _NEED_VALUES for window in windows)
        self.keeps: Keeps = "times" if not needs_values else "numbers" if kind in NUMBERS else "texts"
        self.read = _presence_reader(kind) if self.keeps == "times" else _value_reader(kind, windows[0].unit)
        """From a column to the value of each row's event; None where there is none, for the value is missing."""
        self._spans: dict[tuple[int, int], list[tuple[int, Measure]]] = {}
        for position, window in zip(positions, windows, strict=True):
            measures = self._spans.setdefault((window.start_us, window.end_us), [])
            measures.append((position, _measure(window, self.keeps)))

    def ask(self, series: Series, at: int, row: int, answers: list[list[float]]) -> None:
        """Answer one row's windows; what is empty stays as it is."""
        times = series.times
        for (start, end), measures in self._spans.items():
            first = bisect_left(times, at - start, series.first)
            last = bisect_right(times, at - end, first)
            if first < last:
                for position, measure in measures:
                    answers[position][row] = measure(series, first, last, at)


def microseconds(seconds: float) -> int:
    """A timestamp's seconds as whole microseconds, as which times are compared."""
    return round(seconds * 1e6)


def key_reader(kind: RawType) -> Callable[[Column], list[str | None]]:
    """From a column that names entities to the text of each row's value, None where it is missing."""
    return _TEXT_READERS.get(kind, methodcaller("tolist"))


def _presence_reader(kind: RawType) -> Callable[[Column], Sequence[Value | None]]:
    """0 for any value: what no window reads is neither kept nor written anywhere."""
    if kind in NUMBERS or kind in _TEXT_READERS:
        return lambda column: [None if cell != cell else 0 for cell in column.tolist()]
    return lambda column: [None if cell is None else 0 for cell in column.tolist()]


def _value_reader(kind: RawType, unit: float) -> Callable[[Column], Sequence[Value | None]]:
    if kind in NUMBERS:
        return lambda column: [None if cell != cell else _whole_units(cell, unit) for cell in column.tolist()]
    if kind in _TEXT_READERS:
        return _TEXT_READERS[kind]
    # One object however often a text stands: a history keeps millions of few.
    return lambda column: [None if cell is None else intern(cell) for cell in column.tolist()]


def _cells_with(text: Callable[[float], str]) -> Callable[[Column], list[str | None]]:
    return lambda column: [None if cell != cell else text(cell) for cell in column.tolist()]


_TEXT_READERS: dict[RawType, Callable[[Column], list[str | None]]] = {
    "int": _cells_with(lambda cell: str(int(cell))),
    "bool": _cells_with(lambda cell: "true" if cell else "false"),
    "float": _cells_with(lambda cell: repr(cell + 0.0)),  # -0.0 is 0.0
    "timestamp": _cells_with(lambda cell: str(microseconds(cell))),
}


def _whole_units(number: float, unit: float) -> int:
    units = number / unit + 0.5
    return math.floor(units if -MOST_UNITS <= units <= MOST_UNITS else math.copysign(MOST_UNITS, units))


def _measure(window: Window, keeps: Keeps) -> Measure:
    unit = window.unit
    match window.take:
        case "count":
            return lambda series, first, last, at: float(last - first)
        case "since":
            return lambda series, first, last, at: (at - series.times[last - 1]) / 1e6
        case "sum":
            return lambda series, first, last, at: float(series.sums[last] - series.sums[first]) * unit
        case "mean":  # the sum as float64 first: databases divide so, and the last bit is to be the same
            return lambda series, first, last, at: float(series.sums[last] - series.sums[first]) / (last - first) * unit
        case "min":
            return lambda series, first, last, at: min(_numbers(series, first, last)) * unit
        case "max":
            return lambda series, first, last, at: max(_numbers(series, first, last)) * unit
        case "distinct":
            values = _numbers if keeps == "numbers" else _texts
            return lambda series, first, last, at: float(len(set(values(series, first, last))))


def _numbers(series: Series, first: int, last: int) -> list[int]:
    return list(map(sub, series.sums[first + 1 : last + 1], series.sums[first:last]))


def _texts(series: Series, first: int, last: int) -> list[str]:
    return series.texts[first:last]
