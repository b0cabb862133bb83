# SPDX-License-Identifier: Apache-2.0
"""Rules of gates: pure, from a Model to the problems found in `spec.gates`."""

from collections.abc import Iterator

from kelp.spec.metrics import METRICS, MetricInfo, metrics_of
from kelp.spec.model import Gate, Model


def gate_problems(model: Model) -> Iterator[str]:
    """Every broken rule of every gate."""
    for index, gate in enumerate(model.spec.gates):
        path = f"spec.gates[{index}]"
        yield from metric_problem(model, gate.metric, f"{path}.metric")
        yield from _conditions(model, gate, path)
        if gate.metric in metrics_of(model.spec.task):
            yield from _fitting(gate, METRICS[gate.metric], path)
        if gate.gap_across is not None:
            yield from _gap(model, gate, path)


def metric_problem(model: Model, metric: str, path: str) -> Iterator[str]:
    """The problem with a metric's name; nothing is said of a task whose metrics are not built yet."""
    known = metrics_of(model.spec.task)
    if known and metric not in known:
        yield f"{path}: expected a metric of task {model.spec.task} ({', '.join(known)}), found {metric!r}"


def _conditions(model: Model, gate: Gate, path: str) -> Iterator[str]:
    given = _given(gate)
    if len(given) != 1:
        yield f"{path}: expected one of atLeast, atMost, notWorseThan, found {' and '.join(given) or 'none'}"
    if gate.by and gate.not_worse_than is None:
        yield f"{path}.by: expected only with notWorseThan, found {gate.by:g}"
    if gate.not_worse_than == "legacy" and model.spec.legacy is None:
        yield f"{path}.notWorseThan: expected spec.legacy to say what the legacy system is, found nothing"


def _given(gate: Gate) -> list[str]:
    found = {"atLeast": gate.at_least, "atMost": gate.at_most, "notWorseThan": gate.not_worse_than}
    return [name for name, value in found.items() if value is not None]


def _fitting(gate: Gate, metric: MetricInfo, path: str) -> Iterator[str]:
    low, high = metric.range
    if gate.gap_across is not None:  # then the limit is one of differences
        low, high = 0.0, None if low is None or high is None else high - low
    for name, limit in (("atLeast", gate.at_least), ("atMost", gate.at_most)):
        if limit is not None and high is not None and limit > high:
            yield f"{path}.{name}: expected a number <= {high:g}, got {limit:g}"
        if limit is not None and low is not None and limit < low:
            yield f"{path}.{name}: expected a number >= {low:g}, got {limit:g}"
    if gate.not_worse_than is not None and metric.higher_is_better is None:
        yield f"{path}.notWorseThan: expected a metric with a better direction, found {gate.metric}; limit it instead"


def _gap(model: Model, gate: Gate, path: str) -> Iterator[str]:
    column = model.spec.data.columns.get(gate.gap_across or "")
    if column is None or not column.protected:
        yield f"{path}.gapAcross: expected a column declared `protected: true`, found {gate.gap_across!r}"
    if gate.metric == "ndcg_at_10" or model.spec.task == "forecast":
        yield f"{path}.gapAcross: expected a metric of single rows of a task with classes or numbers"
    given = _given(gate)
    if given and "atMost" not in given:
        yield f"{path}: expected atMost beside gapAcross, found {' and '.join(given)}"
