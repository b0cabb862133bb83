# SPDX-License-Identifier: Apache-2.0
"""Rules between the fields of a spec: pure functions from a Model to the problems found in it.

Each problem reads `path: expected ..., found ...`. What one field can say for itself stands in its type.
"""

from collections.abc import Iterator

from kelp.spec.data import Column, Data
from kelp.spec.metrics import METRICS
from kelp.spec.model import Gate, Model

_NUMERIC = ("int", "float", "bool")


def problems(model: Model) -> list[str]:
    """Every broken rule of the model, in the order of the file."""
    return [*_data(model), *_columns(model), *_gates(model), *_rest(model)]


def _data(model: Model) -> Iterator[str]:
    spec, data = model.spec, model.spec.data
    if spec.task == "forecast" and data.time is None:
        yield "spec.data.time: expected the column of time, found nothing; a forecast needs one"
    if spec.task == "forecast" and data.series is None:
        yield "spec.data.series: expected key, frequency and horizon, found nothing; a forecast needs them"
    if data.positive is not None and spec.task not in ("binary", "text"):
        yield f"spec.data.positive: expected only with task binary, found with task {spec.task}"
    for role in ("id", "time", "entity"):
        if getattr(data, role) == data.target:
            yield f"spec.data.{role}: expected another column than the target, found {data.target!r} in both"
    yield from _split(data)
    yield from _source(data.source)


def _split(data: Data) -> Iterator[str]:
    for needed, column in (("time", data.time), ("entity", data.entity)):
        if data.split.by == needed and column is None:
            yield f"spec.data.split.by: expected spec.data.{needed} to name a column, found nothing"
    if not 0.01 <= data.split.test <= 0.9:
        yield f"spec.data.split.test: expected from 1% to 90%, found {data.split.test:.4%}"
    if data.split.gap and data.split_by != "time":
        yield f"spec.data.split.gap: expected only with a split by time, found a split by {data.split_by}"


def _source(source: str) -> Iterator[str]:
    scheme, _, path = source.partition("://")
    if scheme not in ("data", "file", "s3") or not path:
        yield f"spec.data.source: expected data://, file:// or s3:// and a path, found {source!r}"
    elif ".." in path.split("/"):
        yield f"spec.data.source: expected a path inside its root, found `..` in {source!r}"


def _columns(model: Model) -> Iterator[str]:
    data = model.spec.data
    for name, column in data.columns.items():
        yield from _column(column, f"spec.data.columns.{name}")
    if data.time in data.columns and data.columns[data.time].type != "timestamp":
        yield f"spec.data.columns.{data.time}.type: expected timestamp (it is spec.data.time), found another type"
    for role in ("target", "id", "time", "entity"):
        name = getattr(data, role)
        declared = data.columns.get(name) if name else None
        if declared and declared.privacy == "drop":
            yield f"spec.data.columns.{name}.privacy: expected the {role} to be kept, found drop"
        if data.columns_closed and name and declared is None:
            yield f"spec.data.{role}: expected one of the declared columns (columnsClosed), found {name!r}"


def _column(column: Column, path: str) -> Iterator[str]:
    if (column.min is not None or column.max is not None) and column.type not in _NUMERIC:
        yield f"{path}: expected min and max only on numbers, found them on {column.type}"
    if column.min is not None and column.max is not None and column.min > column.max:
        yield f"{path}.min: expected at most max ({column.max:g}), found {column.min:g}"
    if column.missing in ("median", "mean") and column.type not in _NUMERIC:
        yield f"{path}.missing: expected mode, constant, other or drop for {column.type}, found {column.missing}"
    if column.missing == "other" and column.type != "category":
        yield f"{path}.missing: expected `other` only on a category, found it on {column.type}"
    if (column.missing == "constant") != (column.fill is not None):
        yield f"{path}.fill: expected together with `missing: constant`, found only one of the two"
    if column.privacy != "none" and (column.feature or column.protected):
        yield f"{path}.privacy: expected no feature and no group on a private column, found {column.privacy}"


def _gates(model: Model) -> Iterator[str]:
    for index, gate in enumerate(model.spec.gates):
        yield from _gate(model, gate, f"spec.gates[{index}]")


def _gate(model: Model, gate: Gate, path: str) -> Iterator[str]:
    info = METRICS.get(gate.metric)
    fitting = ", ".join(name for name, metric in METRICS.items() if model.spec.task in metric.tasks)
    if info is None or model.spec.task not in info.tasks:
        yield f"{path}.metric: expected a metric of task {model.spec.task} ({fitting}), found {gate.metric!r}"
        return
    conditions = [gate.at_least is not None, gate.at_most is not None, gate.not_worse_than is not None]
    if sum(conditions) != 1:
        yield f"{path}: expected one of atLeast, atMost, notWorseThan, found {sum(conditions)}"
    yield from _limits(gate, info.range, path)
    if gate.by and gate.not_worse_than is None:
        yield f"{path}.by: expected only with notWorseThan, found {gate.by:g}"
    if gate.not_worse_than == "legacy" and model.spec.legacy is None:
        yield f"{path}.notWorseThan: expected spec.legacy to say what the legacy system is, found nothing"
    if gate.gap_across is not None:
        yield from _gap(model, gate, path)


def _limits(gate: Gate, bounds: tuple[float | None, float | None], path: str) -> Iterator[str]:
    low, high = bounds
    for name, limit in (("atLeast", gate.at_least), ("atMost", gate.at_most)):
        if limit is not None and high is not None and limit > high:
            yield f"{path}.{name}: expected a number <= {high:g}, got {limit:g}"
        if limit is not None and low is not None and limit < low:
            yield f"{path}.{name}: expected a number >= {low:g}, got {limit:g}"


def _gap(model: Model, gate: Gate, path: str) -> Iterator[str]:
    column = model.spec.data.columns.get(gate.gap_across or "")
    if column is None or not column.protected:
        yield f"{path}.gapAcross: expected a column declared `protected: true`, found {gate.gap_across!r}"
    if gate.at_most is None:
        yield f"{path}: expected atMost beside gapAcross, found another condition"


def _rest(model: Model) -> Iterator[str]:
    spec = model.spec
    if not 0.5 < spec.confidence < 1:
        yield f"spec.confidence: expected more than 50% and less than 100%, found {spec.confidence:.4%}"
    if spec.legacy is not None and sum(v is not None for v in vars(spec.legacy).values()) != 1:
        yield "spec.legacy: expected one of column, command, url"
    steps = spec.serve.rollout.steps
    if list(steps) != sorted(set(steps)):
        yield f"spec.serve.rollout.steps: expected ascending percentages, found {list(steps)}"
    for index, feature in enumerate(spec.features):
        if not feature.window:
            yield f"spec.features[{index}].window: expected more than 0, found 0d"


def not_built_yet(model: Model) -> list[str]:
    """Fields that the schema accepts and this release does not serve; running such a model is refused."""
    spec = model.spec
    waiting = {
        "spec.task": spec.task in ("forecast", "text"),
        "spec.data.engine": spec.data.engine != "duckdb",
        "spec.data.series": spec.data.series is not None,
        "spec.features": bool(spec.features),
        "spec.train.trainer": spec.train.trainer != "xgboost",
        "spec.train.search": spec.train.search is not None,
        "spec.train.nodes": spec.train.nodes > 1,
        "spec.legacy": spec.legacy is not None and spec.legacy.column is None,
        "spec.fairness.mitigate": spec.fairness.mitigate != "none",
        "spec.monitor.groundTruth": spec.monitor.ground_truth is not None,
        "spec.retrain.schedule": spec.retrain.schedule is not None,
        "spec.retrain.triggers": bool(spec.retrain.triggers),
        "spec.serve.rollout.shadow": bool(spec.serve.rollout.shadow),
    }
    return [path for path, is_asked_for in waiting.items() if is_asked_for]
