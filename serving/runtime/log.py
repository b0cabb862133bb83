# SPDX-License-Identifier: Apache-2.0
"""The prediction log: every answered request becomes an event at a sink, or is counted as dropped.

An answer never waits for it: the event loop appends a record to a bounded queue, and one thread does the rest.
While the sink is away a batch is tried again, at growing intervals; what the queue cannot hold meanwhile is dropped.
A batch may arrive twice if its answer was lost: events have ids (see `kelp.events`).
"""

import logging
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator

import orjson
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kelp.events import cloud_event
from serving.runtime.record import Record, prediction_of
from serving.runtime.sink import Outcome, Sink

_BATCH = 200
_BATCH_BYTES = 8 * 1024 * 1024  # of JSON, less than a sink refuses
_SLICE_S = 0.0005  # of writing before answers get the interpreter: to hand it over costs more than an event
_MOST_BYTES = 64 * 1024 * 1024  # of the requests in the queue
_IDLE_S = 0.05
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 5.0

logger = logging.getLogger(__name__)


class PredictionLog(Collector):
    """A queue, and the thread that empties it. `put` is for one thread alone."""

    def __init__(self, url: str, *, most: int, arm: str) -> None:
        self.sent = 0
        self._sink = Sink(url)
        self._most = most
        self._arm = arm
        self._queue: deque[Record] = deque()
        self._full = 0  # each number is changed by one thread only: the first two by `put`, the rest by the log's
        self._bytes_in = 0
        self._bytes_out = 0
        self._lost = 0
        self._underway = 0  # taken from the queue, and neither sent nor lost yet
        self._over: bytes | None = None
        self._prefix = secrets.token_hex(8)
        self._number = 0
        self._end = float("inf")
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    def put(self, record: Record) -> None:
        """Take a record, or count it as dropped."""
        if len(self._queue) >= self._most or self._bytes_in - self._bytes_out + record.size > _MOST_BYTES:
            self._full += 1
            return
        self._bytes_in += record.size
        self._queue.append(record)

    @property
    def dropped(self) -> int:
        """How many events no sink will ever have."""
        return self._full + self._lost

    def close(self, seconds: float) -> None:
        """Send what is left, for as long as this; then count the rest as dropped, and say so."""
        self._end = time.monotonic() + seconds
        self._is_closing.set()
        self._thread.join(seconds + 1)
        left = len(self._queue) + self._underway
        if left or self.dropped:
            logger.warning("the prediction log ends: %d events sent, %d dropped", self.sent, self.dropped + left)
        else:
            logger.info("the prediction log ends: %d events sent, none dropped", self.sent)

    def collect(self) -> Iterator[Metric]:
        """Its metrics."""
        queued = len(self._queue) + self._underway
        yield GaugeMetricFamily("kelp_log_queue_events", "Events waiting for the log's sink", queued)
        yield CounterMetricFamily("kelp_log_dropped", "Events that were dropped", self.dropped)
        yield CounterMetricFamily("kelp_log_sent", "Events that the log's sink has stored", self.sent)

    def _run(self) -> None:
        while True:
            try:
                if not self._round():
                    self._sink.close()
                    return
            except Exception:  # the rim of this thread: without it, events would wait for ever
                logger.exception("%d events are dropped: they cannot be sent", self._underway)
                self._lost += self._underway
                self._underway = 0
                self._over = None
                self._sink.close()

    def _round(self) -> bool:
        """Send one batch, or wait for events; whether there may be more."""
        batch = self._taken()
        if batch:
            self._deliver(batch)
        elif self._is_closing.is_set():
            return False
        else:
            self._is_closing.wait(_IDLE_S)
        return True

    def _taken(self) -> list[bytes]:
        """A batch from the queue; an event that would make it too large begins the next one."""
        events = [self._over] if self._over is not None else []
        size = sum(map(len, events))
        self._over = None
        since = time.perf_counter()
        while self._queue and len(events) < _BATCH and size < _BATCH_BYTES:
            event = self._next()
            if event is None:
                continue
            size += len(event)
            if events and size > _BATCH_BYTES:
                self._over = event
                break
            events.append(event)
            if time.perf_counter() - since > _SLICE_S:
                time.sleep(0)  # let answers come first
                since = time.perf_counter()
        return events

    def _next(self) -> bytes | None:
        """The oldest record of the queue as an event; None if it cannot be one."""
        self._underway += 1
        record = self._queue.popleft()
        self._bytes_out += record.size
        self._number += 1
        try:
            return orjson.dumps(cloud_event(prediction_of(record, f"{self._prefix}-{self._number}", self._arm)))
        except Exception:
            self._underway -= 1
            self._lost += 1
            logger.exception("an event cannot be written")
            return None

    def _deliver(self, events: list[bytes]) -> None:
        """Send a batch; of one that is refused its halves, so that nothing is dropped for what came beside it."""
        dropped: Counter[Outcome] = Counter()
        left = [events]
        while left:
            batch = left.pop()
            outcome = self._posted(batch)
            if outcome is Outcome.REFUSED and len(batch) > 1:
                middle = len(batch) // 2
                left += [batch[middle:], batch[:middle]]
                continue
            if outcome is Outcome.STORED:
                self.sent += len(batch)
            else:
                self._lost += len(batch)
                dropped[outcome] += len(batch)
            self._underway -= len(batch)
        for outcome, number in dropped.items():
            logger.warning("%d events are dropped: the sink %s", number, outcome.value)

    def _posted(self, events: list[bytes]) -> Outcome:
        """Send them until the sink is there, or the log has to end."""
        body = b"[" + b",".join(events) + b"]"
        pause = _FIRST_PAUSE_S
        while (outcome := self._sink.post(body)) is Outcome.AWAY and time.monotonic() + pause < self._end:
            if pause == _FIRST_PAUSE_S:
                waiting = len(self._queue) + self._underway
                logger.warning("the sink of the prediction log is away: %d events wait", waiting)
            (time.sleep if self._is_closing.is_set() else self._is_closing.wait)(pause)
            pause = min(2 * pause, _FIRST_PAUSE_S * 4 if self._is_closing.is_set() else _LONGEST_PAUSE_S)
        return outcome
