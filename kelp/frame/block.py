# SPDX-License-Identifier: Apache-2.0
"""All number columns of a request checked at once: array operations accept, and never explain.

A request has few rows and many columns, so a column at a time costs more than the model. What is not accepted here
goes through `kelp.frame.values`, which decides and names the wrong value.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import itemgetter, le
from typing import Any

import numpy as np

from kelp.frame.compute import Column
from kelp.frame.parts import RawColumn

_EXACT = 2.0**53  # beyond it a float64 compares unlike the whole number it was made of
_NUMBERS = {int, float}
_NUMBERS_OR_NULL = {int, float, type(None)}


class NumberColumns(dict[str, Column]):
    """Columns by name, each a row of `values_by_column`, float64 of shape (columns, n); NaN is missing."""

    __slots__ = ("values_by_column",)

    def __init__(self, names: Sequence[str], values: Column) -> None:
        super().__init__(zip(names, values, strict=True))
        self.values_by_column = values


class NumberBlock:
    """The columns of type int and float, in their order."""

    def __init__(self, columns: Iterable[RawColumn]) -> None:
        numbers = [column for column in columns if column.type in ("int", "float")]
        self.names = tuple(column.name for column in numbers)
        self.needed = frozenset(self.names)
        self._least = np.array([[max(column.limits[0], -_EXACT)] for column in numbers])
        self._greatest = np.array([[min(column.limits[1], _EXACT)] for column in numbers])
        self._low, self._high = self._least.ravel().tolist(), self._greatest.ravel().tolist()
        self._whole = np.array([position for position, column in enumerate(numbers) if column.type == "int"], dtype=int)
        self._whole_positions = self._whole.tolist()
        self._accepted = _NUMBERS_OR_NULL if all(column.nullable for column in numbers) else _NUMBERS
        self._pick: Callable[[Any], Any] | None = itemgetter(*self.names) if len(numbers) > 1 else None

    def of_objects(self, rows: Sequence[dict[str, Any]]) -> NumberColumns | None:
        """The columns of rows by name; None unless every value is there and accepted."""
        if self._pick is None:
            return None
        try:
            flat = list(chain.from_iterable(map(self._pick, rows)))
        except KeyError:
            return None
        return self._checked(flat, lambda array: array.reshape(len(rows), -1).T)

    def of_columns(self, columns: Sequence[list[Any]]) -> NumberColumns | None:
        """The columns from their values, in the order of `names` and of one length; None unless all are accepted."""
        return self._checked(list(chain.from_iterable(columns)), lambda array: array.reshape(len(columns), -1))

    def _checked(self, flat: list[Any], shaped: Callable[[Column], Column]) -> NumberColumns | None:
        if not self._accepted.issuperset(map(type, flat)):
            return None
        if len(flat) == len(self.names) and None not in flat:
            return self._one_row(flat)
        try:
            values = shaped(np.array(flat, dtype=np.float64))  # None becomes NaN
        except OverflowError:
            return None
        is_missing = np.isnan(values)
        if np.count_nonzero(is_missing) != flat.count(None):
            return None
        is_accepted = (values >= self._least) & (values <= self._greatest)
        if len(self._whole):
            whole = values[self._whole]
            is_accepted[self._whole] &= np.rint(whole) == whole
        return NumberColumns(self.names, values) if (is_accepted | is_missing).all() else None

    def _one_row(self, values: list[Any]) -> NumberColumns | None:
        """The same for one row without nulls, where array operations would cost more than a loop."""
        if not (all(map(le, self._low, values)) and all(map(le, values, self._high))):
            return None
        if any(values[position] != int(values[position]) for position in self._whole_positions):
            return None
        return NumberColumns(self.names, np.array(values, dtype=np.float64).reshape(-1, 1))
