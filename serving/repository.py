# SPDX-License-Identifier: Apache-2.0
"""Repository: many models in one process, each loaded by the first request for it, within a budget of memory.

A name points at one version. A version that cannot be loaded leaves the one before it serving, and `state` says why.
What a load is, and how many bytes a version takes, is passed in: the repository knows neither ONNX nor HTTP.
"""

import logging
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Generic

from kelp.errors import EnvironmentFault, KelpError, NotFound
from serving.lease import Lease, Loaded, State
from serving.lru import Lru
from serving.source import Source, estimated_bytes

RETRY_S = 30.0
"""A version that could not be loaded is not tried again before."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Entry:
    wanted: Source
    loading: Lock  # of the name: held while one of its versions is loaded
    good: Source | None = None  # the newest that was loaded once
    failure: KelpError | None = None  # of `wanted`
    failed_at: float = 0.0


class Repository(Generic[Loaded]):
    """Models by name; it may be used by several threads at once."""

    def __init__(
        self,
        budget: int,
        load: Callable[[Source], Loaded],
        size: Callable[[Path], int] = estimated_bytes,
        clock: Callable[[], float] = time.monotonic,
        close: Callable[[Loaded], None] = lambda loaded: None,
    ) -> None:
        """Make an empty one.

        Args:
            budget: in bytes, for all that is loaded.
            load: brings a version into memory; raises KelpError.
            size: how many bytes the version in a folder will take; raises KelpError.
            clock: seconds that only go forward.
            close: is called with what has left memory, on the thread that noticed.
        """
        self._load = load
        self._close = close
        self._size = size
        self._clock = clock
        self._lock = Lock()  # of everything below; never held while loading
        self._entries: dict[str, _Entry] = {}
        self._locks: dict[str, Lock] = {}  # kept when a name is removed: a load may be under way
        self._lru: Lru[Source] = Lru(budget)
        self._loaded: dict[Source, Loaded] = {}
        self._left: list[Loaded] = []  # out of memory but for this, and not closed yet

    def point(self, source: Source) -> None:
        """Point a name at a version, which the next request loads; asking again tries one again that failed."""
        with self._lock:
            entry = self._entries.get(source.name)
            if entry is None:
                lock = self._locks.setdefault(source.name, Lock())
                self._entries[source.name] = _Entry(source, lock)
            else:
                entry.wanted, entry.failure = source, None

    def remove(self, name: str) -> None:
        """Forget a name; requests under way end as they began.

        Raises:
            NotFound: there is no such name.
        """
        with self._lock:
            self._known(name)
            del self._entries[name]
            self._drop_all(name)
        self._close_left()

    def unload(self, name: str) -> None:
        """Free a model's memory; the next request loads it again.

        Raises:
            NotFound: there is no such name.
        """
        with self._lock:
            self._known(name)
            self._drop_all(name)
        self._close_left()

    def close(self) -> None:
        """Free everything that is not in use."""
        for name in self.names():
            self.unload(name)

    def names(self) -> list[str]:
        """Every name, loaded or not."""
        with self._lock:
            return sorted(self._entries)

    @property
    def used(self) -> int:
        """Bytes of all that is loaded or being loaded, as estimated."""
        with self._lock:
            return self._lru.used

    def state(self, name: str) -> State:
        """What a request for the name would get.

        Raises:
            NotFound: there is no such name.
        """
        with self._lock:
            entry = self._known(name)
            resident = next((found for found in (entry.wanted, entry.good) if found in self._loaded), None)
            number = resident.version if resident is not None else None
            if entry.failure is not None:
                return State("failed", entry.wanted.version, number, str(entry.failure))
            if resident == entry.wanted:
                return State("ready", entry.wanted.version, number)
            return State("loading" if entry.loading.locked() else "cold", entry.wanted.version, number)

    def lend(self, name: str) -> Lease[Loaded] | None:
        """Lend what answers at once, if that is in memory; None if a load has to come first. Never waits for one."""
        with self._lock:
            entry = self._entries.get(name)
            return self._resident(entry) if entry is not None and self._may_answer(entry) else None

    def lend_loaded(self, name: str) -> Lease[Loaded]:
        """Lend a model's version; one that is not in memory is loaded first, once however many ask.

        Raises:
            NotFound: there is no such name.
            EnvironmentFault: there is no memory for it beside what is in use.
            KelpError: as its load, when no version before it can answer.
        """
        with self._lock:
            entry = self._known(name)
            self._best(entry)  # raises at once what has failed a moment ago
            found = self._resident(entry)
        if found is not None:
            return found
        with entry.loading:
            return self._bring(entry)

    def lend_wanted(self, name: str) -> Lease[Loaded]:
        """Lend a model's version as `lend_loaded` does, and wait for a load of it that is under way.

        The version before it is lent only if the wanted one cannot be loaded; raises as `lend_loaded`.
        """
        with self._lock:
            entry = self._known(name)
        with entry.loading:
            return self._bring(entry)

    def give_back(self, lease: Lease[Loaded]) -> None:
        """End a loan."""
        with self._lock:
            if self._lru.release(lease.source):
                self._left.append(self._loaded.pop(lease.source))
        if self._left:
            self._close_left()

    def _may_answer(self, entry: _Entry) -> bool:
        """Whether a version is known to be good, so that asking for the best one raises nothing."""
        return entry.failure is None or entry.good is not None

    def _resident(self, entry: _Entry) -> Lease[Loaded] | None:
        """What answers without a load: the best version, or while that is being loaded the one before it."""
        source = self._best(entry)
        if source in self._loaded:
            return self._used(source)
        if entry.loading.locked() and entry.good in self._loaded:
            return self._used(entry.good)
        return None

    def _bring(self, entry: _Entry) -> Lease[Loaded]:
        """Load what an entry points at, or the version before it. The caller holds `entry.loading`."""
        with self._lock:
            source = self._best(entry)
            if source in self._loaded:
                return self._used(source)
        try:
            return self._brought(entry, source)
        except KelpError as error:
            with self._lock:
                if source == entry.wanted and not isinstance(error, _NoRoom):
                    entry.failure, entry.failed_at = copy(error), self._clock()  # without its frames
                    logger.error("%s version %d cannot be loaded: %s", source.name, source.version, error)
                good = entry.good
                if good is None or good == source:
                    raise
                if good in self._loaded:
                    return self._used(good)
            return self._brought(entry, good)

    def _brought(self, entry: _Entry, source: Source) -> Lease[Loaded]:
        size = self._size(source.folder)
        with self._lock:
            gone = self._lru.take(source, size)
            if gone is None:
                raise _NoRoom(
                    f"expected room for {size} bytes, found {self._lru.budget} in all and too many in use",
                    place=source.name,
                    fix="ask again later, or raise the budget",
                )
            self._left += [self._loaded.pop(other) for other in gone]
        self._close_left()  # freed before the load, and not under the lock
        try:
            loaded = self._load(source)
        except BaseException:
            with self._lock:
                self._lru.drop(source)
                self._lru.release(source)
            raise
        with self._lock:
            self._loaded[source] = loaded
            before, entry.good = entry.good, source
            if source == entry.wanted:
                entry.failure = None
            if before is not None and before != source:
                self._drop(before)
            if self._entries.get(source.name) is not entry:  # removed in the meantime: for this one request
                self._drop(source)
        self._close_left()
        return Lease(source, loaded)

    def _best(self, entry: _Entry) -> Source:
        """The version to serve: the wanted one, unless it failed a moment ago and there is one before it."""
        if entry.failure is None or self._clock() - entry.failed_at >= RETRY_S:
            return entry.wanted
        if entry.good is None:
            raise copy(entry.failure)
        return entry.good

    def _used(self, source: Source) -> Lease[Loaded]:
        self._lru.use(source)
        return Lease(source, self._loaded[source])

    def _known(self, name: str) -> _Entry:
        entry = self._entries.get(name)
        if entry is None:
            raise NotFound(f"no model is called {name[:80]}")
        return entry

    def _drop_all(self, name: str) -> None:
        for source in [source for source in self._loaded if source.name == name]:
            self._drop(source)

    def _drop(self, source: Source) -> None:
        """Let a version leave memory, now or when its last use ends."""
        if source in self._loaded and self._lru.drop(source):
            self._left.append(self._loaded.pop(source))

    def _close_left(self) -> None:
        """Close what has left; the caller does not hold the lock."""
        with self._lock:
            left, self._left = self._left, []
        for loaded in left:
            self._close(loaded)


class _NoRoom(EnvironmentFault):
    """Everything in memory is in use."""
