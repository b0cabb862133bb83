# SPDX-License-Identifier: Apache-2.0
"""History: windows answered one row at a time, from the earlier rows that a running server has seen.

The online form of what prepare's engine computes for whole tables; the two agree to the last bit. It starts from the
`history.parquet` of a version and grows by every row it is asked about. It lives in one process: two servers do not
share what they see. With a keeper (`kelp.frame.journal`) what it saw is there again after a restart.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Lock
from time import sleep
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from kelp.errors import RequestError
from kelp.frame.group import Group, Row
from kelp.frame.group_copy import GroupCopy
from kelp.frame.history_table import fill_from_table, table_of
from kelp.frame.horizon import refuse_beyond, series_names
from kelp.frame.rows import instance_cell
from kelp.frame.stream import IF_EMPTY, Stream, key_reader, microseconds
from kelp.frame.transform import Column, Transform

MOST_EVENTS = 10_000
MOST_ENTITIES = 1_000_000
_FEW = 200  # entities that are copied while rows wait: a quarter of a millisecond

Cell = Callable[[str, int], str]
"""From a column and a row's position to the words that name the cell in a message: `instances[3].amount`."""


class Keeper(Protocol):
    """Where the rows go that a history takes in, so that they survive the process."""

    def take(self, rows: Sequence[Sequence[Row]]) -> None:
        """Keep what a request was taken in as: its rows, for each group of the history. Never raises."""

    def facts(self) -> dict[str, Any]:
        """What of it is kept."""


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
        self._copying = Lock()
        self._limits = (most_events, most_entities)
        self._keeper: Keeper | None = None
        self._groups = self._new_groups()

    def _new_groups(self) -> tuple[Group, ...]:
        is_forecast = self.transform.task == "forecast"
        return tuple(
            Group(by, list(self._streams(by)), self._limits, is_unique=is_forecast)
            for by in dict.fromkeys(window.by for window in self.transform.windows)
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
        return self._answer(columns, rows, cell, takes_in=True)

    def look(
        self, columns: Mapping[str, Column], rows: int, cell: Cell = instance_cell
    ) -> dict[str, NDArray[np.float64]]:
        """Answer as `answer` does, without taking any row in: the rows of one call do not see each other."""
        return self._answer(columns, rows, cell, takes_in=False)

    def _answer(
        self, columns: Mapping[str, Column], rows: int, cell: Cell, *, takes_in: bool
    ) -> dict[str, NDArray[np.float64]]:
        times = self._times(columns, cell)
        ask = Group.pass_through if takes_in else Group.look
        answers = [[empty] * rows for empty in self._if_empty]
        asked = [list(self._rows(group, columns, times)) for group in self._groups]
        with self._lock:
            if self.transform.task == "forecast":
                self._refuse_beyond(columns, asked[0], cell)
            for group, passing in zip(self._groups, asked, strict=True):
                ask(group, passing, answers)
            if takes_in and self._keeper is not None:
                self._keeper.take(asked)
        return {name: np.array(found) for name, found in zip(self._names, answers, strict=True)}

    def observe(self, columns: Mapping[str, Column], cell: Cell = instance_cell) -> None:
        """Take rows in without answering them.

        Raises:
            RequestError: a time is missing.
        """
        times = self._times(columns, cell)
        self.take_in([list(self._rows(group, columns, times)) for group in self._groups])

    def take_in(self, rows: Sequence[Sequence[Row]]) -> None:
        """Take in what a request's rows are for each group, as a `Keeper` is given them."""
        with self._lock:
            for group, passing in zip(self._groups, rows, strict=True):
                group.pass_through(passing)
            if self._keeper is not None:
                self._keeper.take(rows)

    def keep_in(self, keeper: Keeper | None) -> None:
        """Give every request from now on to a keeper, after its rows were taken in, in that order."""
        with self._lock:
            self._keeper = keeper

    @classmethod
    def from_table(cls, transform: Transform, table: Any) -> Self:
        """Start from the events of a `history.parquet`, as a `pyarrow.Table`.

        Raises:
            IntegrityError: it does not fit the transform; the place names the first wrong row.
        """
        history = cls(transform)
        history.start_again(table)
        return history

    def start_again(self, table: Any) -> None:
        """Forget everything, and start from the events of a table as `from_table` does.

        Raises:
            IntegrityError: likewise; then nothing has changed.
        """
        groups = self._new_groups()
        fill_from_table(groups, table)
        with self._lock:
            self._groups = groups

    def to_table(self) -> Any:
        """The events as a `pyarrow.Table`, in the order and form of `history.parquet`."""
        return table_of(self.copy())

    def copy(self, at_its_moment: Callable[[], None] | None = None, *, pause_s: float = 0.0) -> list[GroupCopy]:
        """Copy what is kept at one moment; rows wait for a part of it at most.

        Args:
            at_its_moment: is called at that moment, while no row is taken in; if it raises, nothing is copied.
            pause_s: between two parts.
        """
        with self._copying:
            with self._lock:
                if at_its_moment is not None:
                    at_its_moment()
                copies = [group.begin_copy() for group in self._groups]
            try:
                for copy in copies:
                    while self._add(copy):
                        sleep(pause_s)
            finally:
                with self._lock:
                    for group in self._groups:
                        group.end_copy()
        return copies

    def _add(self, copy: GroupCopy) -> bool:
        with self._lock:
            return copy.add(_FEW)

    def facts(self) -> dict[str, Any]:
        """How much is kept, what the limits made it drop, and what its keeper says."""
        keeper = self._keeper
        kept = keeper.facts() if keeper is not None else {}
        return {
            "entities": sum(len(group.entities) for group in self._groups),
            "events": sum(group.events for group in self._groups),
            "droppedEntities": sum(group.dropped_entities for group in self._groups),
            "droppedEvents": sum(group.dropped_events for group in self._groups),
            **kept,
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
