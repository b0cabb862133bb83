# SPDX-License-Identifier: Apache-2.0
"""Series: the events of one entity that a `History` keeps, in order of time.

Sums run over the events, so that a sum of any of them is one subtraction; a single value is one as well.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

Value = int | str
"""Whole units of a number, or a text."""

Keeps = Literal["times", "numbers", "texts"]
"""What is kept of an event: its time alone, or its value as well."""

_FEW = 32  # forgotten events that are not worth moving the others
_NO_SUMS: "array[int]" = array("q")  # one for all series that keep none, told by `is`
_NO_TEXTS: list[str] = []


class Series:
    """Events as parallel arrays; those before position `first` are forgotten.

    Attributes:
        times: microseconds since 1970, ascending.
        sums: `sums[i]` is the sum of the values before position i; empty unless numbers are kept.
        texts: the values; empty unless texts are kept.
        first: position of the oldest event that is not forgotten.
        used: of the first series of an entity: of two entities the one that was used later has the greater number.
    """

    __slots__ = ("first", "sums", "texts", "times", "used")

    def __init__(self, keeps: Keeps) -> None:
        self.times = array("q")
        self.sums = array("q", [0]) if keeps == "numbers" else _NO_SUMS
        self.texts: list[str] = [] if keeps == "texts" else _NO_TEXTS
        self.first = 0
        self.used = 0

    def __len__(self) -> int:
        return len(self.times) - self.first

    def insert(self, time: int, value: Value) -> None:
        """Add an event at its place: the end, unless it is late."""
        times = self.times
        if times and time < times[-1]:
            self._insert_late(time, value)
            return
        times.append(time)
        if self.sums is not _NO_SUMS:
            self.sums.append(self.sums[-1] + int(value))
        elif self.texts is not _NO_TEXTS:
            self.texts.append(str(value))

    def _insert_late(self, time: int, value: Value) -> None:
        position = bisect_right(self.times, time, self.first)
        self.times.insert(position, time)
        if self.sums is not _NO_SUMS:
            number = int(value)
            later = [total + number for total in self.sums[position:]]
            self.sums = self.sums[: position + 1] + array("q", later)
        elif self.texts is not _NO_TEXTS:
            self.texts.insert(position, str(value))

    def replace(self, time: int, value: Value) -> bool:
        """Put a value in the place of that of the event at the same time; False where there is none."""
        position = bisect_left(self.times, time, self.first)
        if position == len(self.times) or self.times[position] != time:
            return False
        if self.sums is not _NO_SUMS:
            change = int(value) - (self.sums[position + 1] - self.sums[position])
            later = [total + change for total in self.sums[position + 1 :]]
            self.sums = self.sums[: position + 1] + array("q", later)
        elif self.texts is not _NO_TEXTS:
            self.texts[position] = str(value)
        return True

    def values(self) -> Sequence[Value | None]:
        """The value of each event, None where only times are kept."""
        if self.sums is not _NO_SUMS:
            return [after - before for before, after in pairwise(self.sums[self.first :])]
        return self.texts[self.first :] if self.texts is not _NO_TEXTS else [None] * len(self)

    def forget_before(self, earliest: int) -> int:
        """Forget what is older; return how many events that are."""
        return self.forget_to(bisect_left(self.times, earliest, self.first))

    def forget_to(self, position: int) -> int:
        """Forget the events before a position; return how many these are.

        Their memory is given back once they are half of all: each event is moved once on average.
        """
        forgotten = position - self.first
        self.first = position
        if position > _FEW and 2 * position > len(self.times):
            del self.times[:position]
            if self.sums is not _NO_SUMS:  # from 0 again, so that they never outgrow 64 bits
                base = self.sums[position]
                self.sums = array("q", [total - base for total in self.sums[position:]])
            if self.texts is not _NO_TEXTS:
                del self.texts[:position]
            self.first = 0
        return forgotten
