# SPDX-License-Identifier: Apache-2.0
"""Watch: looks at a running server and the audit log every two seconds, and keeps what the page of `kelp up` shows."""

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

from kelp.audit.record import Record
from kelp.cli.traffic import Counts, Served, between, counts, rates, total

EVERY_S = 2.0
LOOKS = 31  # one minute
_WINDOW_LOOKS = 16  # half a minute: rates and quantiles are of this time

ReadMetrics = Callable[[], str]
"""The server's metrics as text; raises OSError or ValueError when it does not answer."""
ReadRecords = Callable[[], Sequence[Record]]
"""The latest records, oldest first; raises as the audit log does. Always called by the same thread."""

logger = logging.getLogger(__name__)


class Watch:
    """`state` is what the page shows, replaced as a whole after every look."""

    def __init__(self, champions: Mapping[str, int], metrics: ReadMetrics, records: ReadRecords) -> None:
        self._champions = {(name, str(version)) for name, version in champions.items()}
        self._metrics = metrics
        self._records = records
        self._looks: deque[tuple[float, dict[Served, Counts]]] = deque(maxlen=LOOKS)
        self._stop = Event()
        self._thread = Thread(target=self._run, name="watch", daemon=True)
        self.state: dict[str, Any] = {"time": "", "isAnswering": False, "models": [], "records": []}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def look(self, now: float) -> None:
        """Look once; `now` is in seconds on any clock that only goes forward."""
        is_answering = True
        try:
            self._looks.append((now, counts(self._metrics())))
        except (OSError, ValueError) as error:
            is_answering = False
            logger.debug("no metrics: %s", error)
        self.state = {
            "time": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "isAnswering": is_answering,
            "models": [self._model(served) for served in self._served()],
            "records": [_shown(record) for record in reversed(self._records())],
        }

    def _run(self) -> None:
        while True:
            try:
                self.look(time.monotonic())
            except Exception:  # the page goes stale, and says so; the server goes on
                logger.exception("the page could not be brought up to date")
            if self._stop.wait(EVERY_S):
                return

    def _served(self) -> list[Served]:
        """Champions, and whatever else has had a request; those for no model have no name."""
        seen = {served for served in self._looks[-1][1] if served[0]} if self._looks else set()
        return sorted(self._champions | seen)

    def _model(self, served: Served) -> dict[str, Any]:
        newest = self._looks[-1][1].get(served, Counts()) if self._looks else Counts()
        recent = list(self._looks)[-_WINDOW_LOOKS:]
        found: dict[str, Any] = {
            "name": served[0],
            "version": served[1],
            "isChampion": served in self._champions,
            "requests": total(newest),
            "refused": total(newest, "4"),
            "failed": total(newest, "5"),
            "rates": rates(list(self._looks), served),
            "now": None,
        }
        if len(recent) > 1:
            traffic = between(recent[0][1].get(served), newest, recent[-1][0] - recent[0][0])
            milliseconds = [None if seconds is None else 1e3 * seconds for seconds in (traffic.p50_s, traffic.p99_s)]
            found["now"] = {
                "requestsPerS": traffic.requests,
                "refusedPerS": traffic.refused,
                "failedPerS": traffic.failed,
                "p50Ms": milliseconds[0],
                "p99Ms": milliseconds[1],
            }
        return found


def _shown(record: Record) -> dict[str, Any]:
    """Not the detail: the page says that something happened, `kelp audit show --json` says how."""
    return record.model_dump(include={"seq", "time", "actor", "action", "subject"})
