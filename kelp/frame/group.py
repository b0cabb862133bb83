# SPDX-License-Identifier: Apache-2.0
"""Groups: the entities that the same columns name, and the events kept of each; bounded in number."""

import logging
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import count

from kelp.frame.group_copy import GroupCopy
from kelp.frame.horizon import Key
from kelp.frame.series import Series, Value
from kelp.frame.stream import Stream

Row = tuple[Key | None, int, Sequence[Value | None]]
"""Whom a row is about (nobody known: None), its time in microseconds, and its event in each stream."""

logger = logging.getLogger(__name__)


class Group:
    """The entities that the columns `by` name, each with one series a stream; the one used last stands last.

    `is_unique` says that an entity has one event a time: a second one takes the place of the first.
    """

    def __init__(
        self, by: tuple[str, ...], streams: Sequence[Stream], limits: tuple[int, int], *, is_unique: bool
    ) -> None:
        self.by = by
        self.streams = tuple(streams)
        self.entities: OrderedDict[Key, tuple[Series, ...]] = OrderedDict()
        self.events = 0
        self.dropped_events = 0
        self.dropped_entities = 0
        self._most_events, self._most_entities = limits
        self._is_unique = is_unique
        self._next_use = count().__next__
        self._copy: GroupCopy | None = None

    def pass_through(self, rows: Iterable[Row], answers: list[list[float]] | None = None) -> None:
        """Take the events of each row in, after answering its windows if `answers` (by window, then row) is given."""
        self._pass_through(rows if self._copy is None else self._copy.before_each(rows), answers)

    def _pass_through(self, rows: Iterable[Row], answers: list[list[float]] | None) -> None:
        streams, entities, next_use = self.streams, self.entities, self._next_use
        for row, (key, at, values) in enumerate(rows):
            if key is None:
                continue
            found = entities.get(key)
            if found is not None:
                entities.move_to_end(key)
                found[0].used = next_use()
            elif values.count(None) < len(values):
                found = self.series_of(key)
                self.evict()
            else:
                continue
            for stream, series, value in zip(streams, found, values):  # noqa: B905  its check costs a tenth of a row
                if answers is not None:
                    stream.ask(series, at, row, answers)
                if value is not None:
                    self.keep(stream, series, at, value)

    def look(self, rows: Iterable[Row], answers: list[list[float]]) -> None:
        """Answer the windows of each row from the events that are kept, and take none in."""
        for row, (key, at, _) in enumerate(rows):
            found = self.entities.get(key) if key is not None else None
            for stream, series in zip(self.streams, found or (), strict=False):  # nobody known has no series
                stream.ask(series, at, row, answers)

    def series_of(self, key: Key) -> tuple[Series, ...]:
        """An entity's series, one a stream; new ones where there are none."""
        found = self.entities.get(key)
        if found is None:
            found = self.entities[key] = tuple(Series(stream.keeps) for stream in self.streams)
            found[0].used = self._next_use()
        return found

    def keep(self, stream: Stream, series: Series, at: int, value: Value) -> None:
        """Add an event to a series, and forget the events that no later row reads or that are too many."""
        if self._is_unique and series.replace(at, value):
            return
        series.insert(at, value)
        self.events += 1
        earliest = series.times[-1] - stream.longest
        if series.times[series.first] < earliest:
            self.events -= series.forget_before(earliest)
        surplus = len(series.times) - series.first - self._most_events
        if surplus > 0:
            self.events -= series.forget_to(series.first + surplus)
            if not self.dropped_events:
                logger.warning("more than %d events of one entity: its oldest are forgotten", self._most_events)
            self.dropped_events += surplus

    def newest(self, key: Key) -> int | None:
        """Time of an entity's newest event in its only stream; None without any."""
        found = self.entities.get(key)
        return found[0].times[-1] if found is not None and found[0] else None

    def evict(self) -> None:
        """Drop the entities that were used longest ago while there are too many."""
        while len(self.entities) > self._most_entities:
            if self._copy is not None:
                self._copy.before(next(iter(self.entities)))
            _, dropped = self.entities.popitem(last=False)
            self.events -= sum(map(len, dropped))
            self.dropped_entities += 1
            if self.dropped_entities == 1:
                logger.warning("more than %d entities: those used longest ago are forgotten", self._most_entities)

    def settle(self, *, is_by_use: bool) -> None:
        """After loading: put the entities in order of use, then drop what is too many.

        Args:
            is_by_use: whether each says when it was `used`; if not, the one whose newest event is the oldest counts as
                used longest ago.
        """
        if not is_by_use:
            for entity in self.entities.values():
                entity[0].used = max(series.times[-1] for series in entity if series)
        ranked = sorted(self.entities.items(), key=lambda item: item[1][0].used)
        for use, (_, entity) in enumerate(ranked):
            entity[0].used = use
        self.entities = OrderedDict(ranked)
        self._next_use = count(len(ranked)).__next__
        self.evict()

    def begin_copy(self) -> GroupCopy:
        """Begin a copy of what is kept now; until `end_copy` it is told of every change beforehand."""
        self._copy = GroupCopy(self.by, self.streams, self.entities, (self.dropped_events, self.dropped_entities))
        return self._copy

    def end_copy(self) -> None:
        """Keep no copy up to date any longer."""
        self._copy = None
