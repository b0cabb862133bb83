# SPDX-License-Identifier: Apache-2.0
"""Traffic of a model server, from two looks at its `/metrics`. Pure; `kelp.cli.watch` does the looking."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Served = tuple[str, str]
"""A model and its version, as the server's labels name them."""

_REQUESTS = "kelp_requests_total"
_SECONDS = "kelp_request_seconds_bucket"


@dataclass(slots=True)
class Counts:
    """Of one version since the server started: requests by status code, and by the most seconds they took."""

    codes: dict[str, float] = field(default_factory=dict)
    buckets: dict[float, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Between two looks: requests a second, of them refused (4xx) and failed (5xx); quantiles in seconds, or None."""

    requests: float
    refused: float
    failed: float
    p50_s: float | None
    p99_s: float | None


def counts(metrics: str) -> dict[Served, Counts]:
    """Read Prometheus text; the arms of a version are added up.

    Raises:
        ValueError: it is no Prometheus text.
    """
    found: dict[Served, Counts] = {}
    for name, labels, value in _samples(metrics):
        served = (labels.get("model", ""), labels.get("version", ""))
        if name == _REQUESTS:
            codes = found.setdefault(served, Counts()).codes
            code = labels.get("code") or labels.get("status", "")
            codes[code] = codes.get(code, 0.0) + value
        elif name == _SECONDS:
            buckets = found.setdefault(served, Counts()).buckets
            bound = float(labels["le"])
            buckets[bound] = buckets.get(bound, 0.0) + value
    return found


def total(counts: Counts, first_digits: str = "12345") -> float:
    """Requests whose code starts with one of the digits."""
    return sum(count for code, count in counts.codes.items() if code[:1] in first_digits)


def between(older: Counts | None, newer: Counts, seconds: float) -> Traffic:
    """The traffic of one version in the `seconds` between two looks; `older` is None if it had none yet.

    A server that started again counts from 0: what it has counted since is then all there is.
    """
    before = older if older is not None and total(older) <= total(newer) else Counts()

    def rate(digits: str = "12345") -> float:
        return max(0.0, total(newer, digits) - total(before, digits)) / seconds

    grown = {bound: count - before.buckets.get(bound, 0.0) for bound, count in newer.buckets.items()}
    p50, p99 = (quantile(grown, q) for q in (0.5, 0.99))
    return Traffic(rate(), rate("4"), rate("5"), p50, p99)


def quantile(buckets: Mapping[float, float], q: float) -> float | None:
    """Estimate a quantile from cumulative counts by upper bound, as PromQL's histogram_quantile does.

    Returns:
        None without requests; the greatest finite bound if the quantile lies above it.
    """
    bounds = sorted(buckets)
    if not bounds or buckets[bounds[-1]] <= 0:
        return None
    rank = q * buckets[bounds[-1]]
    position = next(at for at, bound in enumerate(bounds) if buckets[bound] >= rank)
    low, below = (bounds[position - 1], buckets[bounds[position - 1]]) if position else (0.0, 0.0)
    if math.isinf(bounds[position]):
        return low
    share = (rank - below) / (buckets[bounds[position]] - below)
    return low + (bounds[position] - low) * share


def rates(looks: Sequence[tuple[float, Mapping[Served, Counts]]], served: Served) -> list[float]:
    """Requests a second between each look (its time in seconds, its counts) and the next."""
    found = []
    for (start, older), (end, newer) in pairwise(looks):
        now = newer.get(served)
        found.append(between(older.get(served), now, end - start).requests if now is not None else 0.0)
    return found


def _samples(metrics: str) -> Iterator[tuple[str, Mapping[str, str], float]]:
    from prometheus_client.parser import text_string_to_metric_families

    ours = "\n".join(line for line in metrics.splitlines() if line.startswith((_REQUESTS, _SECONDS)))
    for family in text_string_to_metric_families(ours + "\n"):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value
