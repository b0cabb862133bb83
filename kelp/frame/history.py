# SPDX-License-Identifier: Apache-2.0
"""History: windows answered one row at a time, from the earlier rows that a running server has seen.

The online form of what prepare's engine computes for whole tables; the two agree to the last bit. It starts from the
`history.parquet` of a version and grows by every row it is asked about. It lives in one process: what a server saw is
forgotten when it ends, and two servers do not share what they see.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kelp.errors import RequestError
from kelp.frame.group import Group, Row
from kelp.frame.history_table import fill_from_table, table_of
from kelp.frame.horizon import refuse_beyond, series_names
from kelp.frame.rows import instance_cell
from kelp.frame.stream import IF_EMPTY, Stream, key_reader, microseconds
from kelp.frame.transform import Column, Transform

MOST_EVENTS = 10_000
MOST_ENTITIES = 1_000_000

Cell = Callable[[str, int], str]
"""From a column and a row's position to the words that name the cell in a message: `instances[3].amount`."""


class History:
    """The events that a transform's windows read, bounded in number; it may be used by several threads at once.

    Of an entity at most `most_events` events a stream are kept, and none that no window of a later row reads. A row
    that comes late is answered from what is kept, and taken in at its place in time. A series of a forecast has one
    observation a time: one that is sent again, or corrected, takes the place of the first.
    """

    def __init__(
        self, transform: Transform, *, most_events: int = MOST_EVENTS, most_entities: int = MOST_ENTITIES
    ) -> None:
        self.transform = transform
        self._kinds = {column.name: column.type for column in transform.columns}
        self._names = [window.name for window in transform.windows]
        self._if_empty = [IF_EMPTY.get(window.take, math.nan) for window in transform.windows]
        self._lock = Lock()
        self._groups = tuple(
            Group(by, list(self._streams(by)), (most_events, most_entities), is_unique=transform.task == "forecast")
            for by in dict.fromkeys(window.by for window in transform.windows)
        )

    def _streams(self, by: tuple[str, ...]) -> Iterator[Stream]:
        windows = self.transform.windows
        for over in dict.fromkeys(window.over for window in windows if window.by == by):
            positions = [at for at, window in enumerate(windows) if (window.by, window.over) == (by, over)]
            yield Stream([windows[position] for position in positions], positions, self._kinds[over])

    @property
    def is_busy(self) -> bool:
        """Whether a thread is at work, for which `answer` would wait."""
        return self._lock.locked()

    def answer(
        self, columns: Mapping[str, Column], rows: int, cell: Cell = instance_cell
    ) -> dict[str, NDArray[np.float64]]:
        """Answer every window of every row; each row is taken in before the next one asks.

        Args:
            columns: the transform's raw columns, each of shape (rows,), pseudonyms in the place of private values.
            rows: how many there are.
            cell: names a cell in the message of an error.

        Returns:
            Every window by name: float64, shape (rows,), NaN where missing. A row without a value in `by` has no
            history.

        Raises:
            RequestError: a time is missing, or a forecast is asked too far ahead or of an unknown series. Nothing
                was taken in.
        """
        return self._answer(columns, rows, cell, Group.pass_through)

    def look(
        self, columns: Mapping[str, Column], rows: int, cell: Cell = instance_cell
    ) -> dict[str, NDArray[np.float64]]:
        """Answer as `answer` does, without taking any row in: the rows of one call do not see each other."""
        return self._answer(columns, rows, cell, Group.look)

    def _answer(
        self,
        columns: Mapping[str, Column],
        rows: int,
        cell: Cell,
        ask: Callable[[Group, Iterable[Row], list[list[float]]], None],
    ) -> dict[str, NDArray[np.float64]]:
        times = self._times(columns, cell)
        answers = [[empty] * rows for empty in self._if_empty]
        asked = [(group, list(self._rows(group, columns, times))) for group in self._groups]
        with self._lock:
            if self.transform.task == "forecast":
                self._refuse_beyond(columns, asked[0][1], cell)
            for group, passing in asked:
                ask(group, passing, answers)
        return {name: np.array(found) for name, found in zip(self._names, answers, strict=True)}

    def observe(self, columns: Mapping[str, Column], cell: Cell = instance_cell) -> None:
        """Take rows in without answering them.

        Raises:
            RequestError: a time is missing.
        """
        times = self._times(columns, cell)
        with self._lock:
            for group in self._groups:
                group.pass_through(self._rows(group, columns, times))

    @classmethod
    def from_table(cls, transform: Transform, table: Any) -> Self:
        """Start from the events of a `history.parquet`, as a `pyarrow.Table`.

        Raises:
            IntegrityError: it does not fit the transform; the place names the first wrong row.
        """
        history = cls(transform)
        fill_from_table(history._groups, table)
        return history

    def to_table(self) -> Any:
        """The events as a `pyarrow.Table`, in the order and form of `history.parquet`."""
        with self._lock:
            return table_of(self._groups)

    def facts(self) -> dict[str, int]:
        """How much is kept, and what the limits made it drop."""
        return {
            "entities": sum(len(group.entities) for group in self._groups),
            "events": sum(group.events for group in self._groups),
            "droppedEntities": sum(group.dropped_entities for group in self._groups),
            "droppedEvents": sum(group.dropped_events for group in self._groups),
        }

    def _rows(self, group: Group, columns: Mapping[str, Column], times: Sequence[int]) -> Iterator[Row]:
        values = [stream.read(columns[stream.over]) for stream in group.streams]
        texts = self._texts(group, columns)
        keys = texts[0] if len(texts) == 1 else [None if None in key else key for key in zip(*texts, strict=True)]
        return zip(keys, times, zip(*values, strict=True), strict=True)

    def _texts(self, group: Group, columns: Mapping[str, Column]) -> list[list[str | None]]:
        return [key_reader(self._kinds[name])(columns[name]) for name in group.by]

    def _times(self, columns: Mapping[str, Column], cell: Cell) -> list[int]:
        name = self.transform.time or ""
        seconds = columns[name].tolist()
        try:
            return [microseconds(second) for second in seconds]
        except ValueError:  # NaN
            missing = next(row for row, second in enumerate(seconds) if second != second)
            raise RequestError(
                "expected the row's time, from which its windows look back, found null", place=cell(name, missing)
            ) from None

    def _refuse_beyond(self, columns: Mapping[str, Column], rows: Sequence[Row], cell: Cell) -> None:
        (group,) = self._groups
        horizon = min(window.end_us for window in self.transform.windows)
        time = self.transform.time or ""
        texts = zip(group.by, self._texts(group, columns), strict=True)
        names = series_names([(name, name in self.transform.private, found) for name, found in texts])
        asked = ((key, at, target) for key, at, (target,) in rows)
        refuse_beyond(horizon, asked, group.newest, lambda row: cell(time, row), names)
