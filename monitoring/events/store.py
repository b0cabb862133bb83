# SPDX-License-Identifier: Apache-2.0
"""Events kept in an SQLite file: each one once, however often it is sent, and durable when `append` returns.

The file is bounded: when there are more than `most` events, or more than `most_bytes` of them, the oldest go in the
transaction that added the newest, and are counted as dropped. It keeps its greatest size. Several processes may have
it open; one store may be used by several threads.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

import orjson

from kelp.errors import DataError, EnvironmentFault, NotFound
from kelp.events import Prediction, cloud_event, read_cloud_event
from monitoring.events import rows
from monitoring.events.schema import begin, check, close_to_others, connect, damaged, faults, is_empty

MOST_EVENTS = 1_000_000
MOST_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Totals:
    """Since the file was begun: events stored, sent again, and dropped for newer ones; and the bytes that are there."""

    stored: int
    repeated: int
    dropped: int
    bytes: int

    @property
    def kept(self) -> int:
        """How many events are there."""
        return self.stored - self.dropped


class EventStore:
    """An open file of events."""

    def __init__(
        self, path: Path, *, most: int = MOST_EVENTS, most_bytes: int = MOST_BYTES, is_begun: bool = False
    ) -> None:
        """Open the file, or begin one.

        Args:
            path: of the file, which only its owner may read; its folder is made.
            most: so many events are kept.
            most_bytes: of the events as JSON; the newest is kept whatever its size.
            is_begun: whether the file must be there.

        Raises:
            NotFound: it must be there, and is not.
            EnvironmentFault: it cannot be opened, or is no store of events of this format.
            IntegrityError: it is damaged.
        """
        self.path = path
        self._most = most
        self._most_bytes = most_bytes
        self._lock = Lock()
        if not is_begun:
            _make(path.parent)
        elif not path.is_file():
            raise _missing(path)
        with faults(path):
            self._database = connect(path, is_begun=is_begun)
            try:
                if not is_begun:
                    with self._transaction():
                        begin(self._database)
                elif is_empty(self._database):
                    raise _missing(path)
                check(self._database, path)
                if not is_begun:
                    close_to_others(path)
            except BaseException:
                self._database.close()
                raise

    def append(self, events: Sequence[Prediction]) -> int:
        """Keep events in one transaction, all or none; return how many were not there before.

        Raises:
            EnvironmentFault: the disk is full, or the file is locked or cannot be written.
            IntegrityError: the file is damaged.
        """
        ready = [_row(event) for event in events]
        with self._lock, faults(self.path), self._transaction():
            sizes = [len(row[-1]) for row in ready if rows.add(self._database, row)]
            stored = len(sizes)
            rows.count(self._database, stored=stored, repeated=len(ready) - stored, bytes=sum(sizes))
            self._drop_oldest()
        return stored

    def find(self, request_id: str) -> list[Prediction]:
        """The events of a request, oldest first: of one that was tried again there are several.

        Raises:
            EnvironmentFault: the file is locked or cannot be read.
            IntegrityError: it is damaged.
        """
        with self._lock, faults(self.path):
            found = rows.bodies(self._database, request_id)
        try:
            return sorted((read_cloud_event(orjson.loads(body)) for body in found), key=lambda event: event.time)
        except (DataError, ValueError) as error:
            raise damaged(self.path, f"an event of the request {request_id} cannot be read: {error}") from error

    def count(self) -> int:
        """How many events are kept."""
        return self.totals().kept

    def totals(self) -> Totals:
        """What was counted since the file was begun."""
        with self._lock, faults(self.path):
            return self._totals()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def _totals(self) -> Totals:
        try:
            return Totals(**rows.totals(self._database))
        except TypeError as error:
            raise damaged(self.path, f"its totals: {error}") from error

    def _drop_oldest(self) -> None:
        totals = self._totals()
        excess, excess_bytes = totals.kept - self._most, totals.bytes - self._most_bytes
        if excess <= 0 and excess_bytes <= 0:
            return
        with closing(rows.sizes(self._database)) as oldest:
            last, dropped, freed = _up_to(oldest, excess, excess_bytes)
        rows.remove_to(self._database, last)
        rows.count(self._database, dropped=dropped, bytes=-freed)


def _up_to(oldest: Iterable[tuple[int, int]], excess: int, excess_bytes: int) -> tuple[int, int, int]:
    """The last event that must go, how many that makes, and how many bytes."""
    last = dropped = freed = 0
    for seq, size in oldest:
        if dropped >= excess and freed >= excess_bytes:
            break
        last, dropped, freed = seq, dropped + 1, freed + size
    return last, dropped, freed


def _row(event: Prediction) -> rows.Row:
    content = cloud_event(event)
    names = (event.request_id, event.model, event.version, event.arm)
    return (content["source"], event.id, *names, event.time, orjson.dumps(content))


def _missing(path: Path) -> NotFound:
    return NotFound("no events are kept here", place=str(path), fix="kelp up keeps those of the requests it answers")


def _make(folder: Path) -> None:
    """Make the folder, for its owner alone; one that is there may hold more, and is left as it is."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise EnvironmentFault(
            f"the folder of the events cannot be made ({error.strerror})",
            place=str(folder),
            fix="check the permissions of the folder above",
        ) from error
