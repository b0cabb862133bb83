# SPDX-License-Identifier: Apache-2.0
"""A copy of what a group keeps at one moment, made a few entities at a time while the group goes on taking rows in.

The group names each entity to its copy before it changes or forgets it, so that nobody waits for a whole copy.
"""

from array import array
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from kelp.frame.horizon import Key
from kelp.frame.series import Keeps, Series
from kelp.frame.stream import Stream

Asking = TypeVar("Asking", bound=tuple[Key | None, object, object])


class StreamCopy:
    """The events in one stream of all entities, one entity after the other.

    Attributes:
        lengths: events of each entity.
        times: of each event, microseconds since 1970; ascending within an entity.
        sums: of each entity one more than it has events; empty unless numbers are kept.
        texts: of each event; empty unless texts are kept.
    """

    def __init__(self, stream: Stream) -> None:
        self.over = stream.over
        self.keeps: Keeps = stream.keeps
        self.lengths = array("q")
        self.times = array("q")
        self.sums = array("q")
        self.texts: list[str] = []

    def add(self, series: Series) -> None:
        """Copy the events of the next entity."""
        first = series.first
        self.lengths.append(len(series))
        self.times.extend(series.times[first:])
        if self.keeps == "numbers":
            self.sums.extend(series.sums[first:])
        elif self.keeps == "texts":
            self.texts.extend(series.texts[first:])


class GroupCopy:
    """Of each entity its key, when it was `used` (as `Series`), and its events in each stream; in no order.

    `dropped` is how many events and entities the group's limits had made it drop.
    """

    def __init__(
        self,
        by: tuple[str, ...],
        streams: Sequence[Stream],
        entities: OrderedDict[Key, tuple[Series, ...]],
        dropped: tuple[int, int],
    ) -> None:
        self.by = by
        self.dropped = dropped
        self.keys: list[Key] = []
        self.used = array("q")
        self.streams = tuple(StreamCopy(stream) for stream in streams)
        self._entities = entities
        self._seen: set[Key] = set()  # copied, or new since
        # Not in order of use, for an OrderedDict needs 50 ms to give 100,000 keys in its order, and 1 ms in this one.
        self._waiting = iter(list(dict.keys(entities)))

    def add(self, most: int) -> bool:
        """Copy `most` more entities at most; False when there are no more."""
        for key in self._waiting:
            self.before(key)
            most -= 1
            if most <= 0:
                return True
        return False

    def before(self, key: Key) -> None:
        """Copy an entity as it is, unless that was done or it is new."""
        if key in self._seen:
            return
        self._seen.add(key)
        entity = self._entities.get(key)
        if entity is None:
            return
        self.keys.append(key)
        self.used.append(entity[0].used)
        for copy, series in zip(self.streams, entity, strict=True):
            copy.add(series)

    def before_each(self, rows: Iterable[Asking]) -> Iterator[Asking]:
        """The same rows, the entity of each copied before the row is given."""
        for row in rows:
            if row[0] is not None:
                self.before(row[0])
            yield row
