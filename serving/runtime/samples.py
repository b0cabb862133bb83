# SPDX-License-Identifier: Apache-2.0
"""The numbers of several workers as one: families of samples that travel as JSON, and are added up.

prometheus-client's own way, files that the processes share, would keep every number of a worker that ended, its gauges
too; and the numbers here are not prometheus-client's (see `serving.runtime.metrics`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

Samples = list[list[Any]]
"""A family each: name, documentation, type, and its samples, each a name, labels and a value."""

_COMBINED: dict[str, Callable[[Iterable[float]], float]] = {  # what is not a sum
    "kelp_model_load_seconds": max,
    "process_start_time_seconds": min,
    "process_max_fds": max,
    "python_info": max,
}
_LASTING = ("counter", "histogram", "summary")
_ROUNDING = 1e-9  # of a sum of fractions, which depends on their order


def collected(registry: Collector) -> Samples:
    """What a registry has now; the times at which counters were made are left out."""
    return [
        [
            family.name,
            family.documentation,
            family.type,
            [
                [sample.name, sample.labels, sample.value]
                for sample in family.samples
                if not sample.name.endswith("_created")
            ],
        ]
        for family in registry.collect()
    ]


def lasting(samples: Samples) -> Samples:
    """What still counts of a worker that has ended: what it had counted, not what it was like."""
    return [family for family in samples if family[2] in _LASTING]


def merged(many: Sequence[Samples]) -> Samples:
    """The same families of several workers, each sample once."""
    if len(many) == 1:
        return many[0]
    families: dict[str, list[Any]] = {}
    values: dict[str, dict[tuple[Any, ...], list[float]]] = {}
    for name, documentation, kind, found in (family for samples in many for family in samples):
        families.setdefault(name, [name, documentation, kind])
        known = values.setdefault(name, {})
        for sample, labels, value in found:
            known.setdefault((sample, *labels.items()), []).append(value)
    return [
        [*family, [[key[0], dict(key[1:]), _COMBINED.get(name, sum)(each)] for key, each in values[name].items()]]
        for name, family in families.items()
    ]


def steady(samples: Samples, before: Samples) -> Samples:
    """The same, but what is less than before by rounding alone is as before: to go back is to be reset."""
    known = {
        (name, *labels.items()): value
        for family in before
        if family[2] in _LASTING
        for name, labels, value in family[3]
        if value % 1
    }

    def kept(name: str, labels: dict[str, str], value: float) -> list[Any]:
        last = known.get((name, *labels.items()), value)
        return [name, labels, last if 0 < last - value <= _ROUNDING * abs(last) else value]

    return [[*family[:3], [kept(*sample) for sample in family[3]]] for family in samples]


class _Collected(Collector):
    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Metric]:
        for name, documentation, kind, found in self._samples:
            family = Metric(name, documentation, kind)
            for sample, labels, value in found:
                family.add_sample(sample, labels, value)
            yield family


def registry_of(samples: Samples) -> Collector:
    """The same as prometheus-client's encoders read it."""
    return _Collected(samples)
