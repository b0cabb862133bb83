# SPDX-License-Identifier: Apache-2.0
"""What is counted of the requests, by model, version and arm of a canary: KServe counts neither requests nor errors.

Plain numbers, added up in the event loop's thread alone; they are read when /metrics is asked for.
Its own counters take a lock and a look-up each, several times a request.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from math import fsum
from threading import Lock

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

_SECONDS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_ROWS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 10_000.0, 100_000.0)
_SHARES = tuple(step / 20 for step in range(1, 21))
_VALUES = (*(-(10.0**power) for power in range(6, -4, -1)), 0.0, *(10.0**power for power in range(-3, 7)))
_LABELS = ("model", "version", "arm")
_FEW = 32


class Distribution:
    """Counts of values by the least bucket that holds them, and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def add_all(self, values: Sequence[float]) -> None:
        """Count many values: sorted, there is one look-up a bucket instead of one a value."""
        if len(values) <= _FEW:
            for value in values:
                self.add(value)
            return
        ordered = sorted(values)
        below = 0
        for position, bound in enumerate(self.bounds):
            upto = bisect_right(ordered, bound, below)
            self.counts[position] += upto - below
            below = upto
        self.counts[-1] += len(ordered) - below
        self.total += fsum(ordered)

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts by upper bound, as Prometheus has them."""
        found, upto = [], 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            upto += count
            found.append((bound, float(upto)))
        return found


class ModelMetrics:
    """The numbers of one version in this process, which outlast its stay in memory."""

    def __init__(self, *, has_classes: bool) -> None:
        self.load_s: float | None = None
        self.requests: dict[int, int] = {}
        self.seconds = Distribution(_SECONDS)
        self.rows = Distribution(_ROWS)
        self.scores = Distribution(_SHARES if has_classes else _VALUES)

    def count(self, status: int, seconds: float, scores: Sequence[float]) -> None:
        """Count one answered request; it has no scores unless its status is 200."""
        self.requests[status] = self.requests.get(status, 0) + 1
        self.seconds.add(seconds)
        if scores:
            self.rows.add(len(scores))
            self.scores.add_all(scores)


class Metrics(Collector):
    """Every version's numbers; those of requests that named no model that is served have empty labels."""

    def __init__(self, arm: str) -> None:
        self._arm = arm
        self._lock = Lock()
        self._versions: dict[tuple[str, str], ModelMetrics] = {}
        self.unknown = self.of("", "", has_classes=True)

    def of(self, name: str, version: str, *, has_classes: bool) -> ModelMetrics:
        """The numbers of a version, new ones if it has none."""
        with self._lock:
            found = self._versions.get((name, version))
            if found is None:
                found = self._versions[name, version] = ModelMetrics(has_classes=has_classes)
            return found

    def collect(self) -> Iterator[Metric]:
        """Read the numbers."""
        requests = CounterMetricFamily(
            "kelp_requests", "Prediction requests answered, by HTTP status", labels=(*_LABELS, "code")
        )
        load = GaugeMetricFamily("kelp_model_load_seconds", "Time to check and load the model", labels=_LABELS)
        seconds = _histogram("kelp_request_seconds", "Time to answer a prediction request, from its header on")
        rows = _histogram("kelp_batch_rows", "Rows of the prediction requests that were answered with 200")
        scores = _histogram("kelp_prediction", "Scores answered; of several classes the greatest")
        with self._lock:
            versions = list(self._versions.items())
        for served, model in versions:
            if model is self.unknown and not model.requests:
                continue
            labels = (*served, self._arm)
            for status, count in list(model.requests.items()):
                requests.add_metric((*labels, str(status)), count)
            if model.load_s is not None:
                load.add_metric(labels, model.load_s)
            for family, distribution in ((seconds, model.seconds), (rows, model.rows), (scores, model.scores)):
                family.add_metric(labels, buckets=distribution.buckets(), sum_value=distribution.total)
        yield from (requests, load, seconds, rows, scores)


def _histogram(name: str, documentation: str) -> HistogramMetricFamily:
    return HistogramMetricFamily(name, documentation, labels=_LABELS)
