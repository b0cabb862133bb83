# SPDX-License-Identifier: Apache-2.0
"""Rules between the fields of a spec: pure functions from a Model to the problems found in it.

Each problem reads `path: expected ..., found ...`. What one field can say for itself stands in its type; the rules
of one column are in `column_rules`, those of rolling features in `feature_rules`, those of gates in `gate_rules`.
"""

import codecs
import re
from collections.abc import Iterator

from kelp.spec.column_rules import column_problems
from kelp.spec.data import Csv, Data, Series
from kelp.spec.feature_rules import feature_problems
from kelp.spec.gate_rules import gate_problems, metric_problem
from kelp.spec.model import Model, Rollout
from kelp.spec.types import format_duration, format_percent

_OWN_TRAINER = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*"


def problems(model: Model) -> list[str]:
    """Every broken rule of the model, in the order of the file."""
    return [*_data(model), *_columns(model), *feature_problems(model), *gate_problems(model), *_rest(model)]


def _data(model: Model) -> Iterator[str]:
    spec, data = model.spec, model.spec.data
    yield from _source(data.source)
    if data.positive is not None and spec.task != "binary":
        yield f"spec.data.positive: expected only with task binary, found with task {spec.task}"
    for role in ("id", "time", "entity"):
        if getattr(data, role) == data.target:
            yield f"spec.data.{role}: expected another column than the target, found {data.target!r} in both"
    yield from _csv(data.csv)
    yield from _split(data)
    yield from _forecast(model)


def _source(source: str) -> Iterator[str]:
    scheme, _, path = source.partition("://")
    if scheme not in ("data", "file", "s3") or not path or "\0" in path:
        yield f"spec.data.source: expected data://, file:// or s3:// and a path, found {source!r}"
    elif scheme == "file" and not path.startswith("/"):
        yield f"spec.data.source: expected file:/// and an absolute path, found {source!r}"
    elif ".." in path.split("/"):
        yield f"spec.data.source: expected a path inside its root, found `..` in {source!r}"


def _csv(csv: Csv) -> Iterator[str]:
    for name, sign in (("delimiter", csv.delimiter), ("quote", csv.quote)):
        if sign is not None and (sign in "\r\n\0" or sign.isalnum() or ord(sign) > 127):
            yield f"spec.data.csv.{name}: expected a sign of ASCII such as , or ;, found {sign!r}"
    if csv.delimiter is not None and csv.delimiter in (csv.quote, csv.decimal):
        yield f"spec.data.csv.delimiter: expected another sign than the quote and the decimal, found {csv.delimiter!r}"
    if csv.encoding is not None and not _is_encoding(csv.encoding):
        yield f"spec.data.csv.encoding: expected one that Python knows, such as windows-1252, found {csv.encoding!r}"


def _is_encoding(name: str) -> bool:
    try:
        return "\0" not in name and codecs.lookup(name)._is_text_encoding
    except LookupError:
        return False


def _split(data: Data) -> Iterator[str]:
    for needed, column in (("time", data.time), ("entity", data.entity)):
        if data.split.by == needed and column is None:
            yield f"spec.data.split.by: expected spec.data.{needed} to name a column, found nothing"
    if not 0.01 <= data.split.test <= 0.9:
        yield f"spec.data.split.test: expected from 1% to 90%, found {format_percent(data.split.test)}"
    if data.split.gap and data.split_by != "time":
        yield f"spec.data.split.gap: expected only with a split by time, found a split by {data.split_by}"


def _forecast(model: Model) -> Iterator[str]:
    spec, data = model.spec, model.spec.data
    if spec.task != "forecast":
        if data.series is not None:
            yield f"spec.data.series: expected only with task forecast, found with task {spec.task}"
        return
    if data.time is None:
        yield "spec.data.time: expected the column of time, found nothing; a forecast needs one"
    if data.series is None:
        yield "spec.data.series: expected key, frequency and horizon, found nothing; a forecast needs them"
    else:
        yield from _series(data.series, data)


def _series(series: Series, data: Data) -> Iterator[str]:
    steps = {"horizon": series.horizon, "season": series.season}
    for name, length in steps.items():
        if length is not None and length % series.frequency:
            found = f"{format_duration(series.frequency)} and {format_duration(length)}"
            yield f"spec.data.series.{name}: expected a whole number of frequencies, found {found}"
    if not series.key:
        yield "spec.data.series.key: expected one or more columns that name a series, found none"
    for index, name in enumerate((*series.key, *series.known_ahead)):
        field = f"key[{index}]" if index < len(series.key) else f"knownAhead[{index - len(series.key)}]"
        if name in (data.target, data.time):
            yield f"spec.data.series.{field}: expected another column than the target and the time, found {name!r}"


def _columns(model: Model) -> Iterator[str]:
    data = model.spec.data
    for name, column in data.columns.items():
        yield from column_problems(column, f"spec.data.columns.{name}")
    if data.time in data.columns and (found := data.columns[data.time].type) != "timestamp":
        yield f"spec.data.columns.{data.time}.type: expected timestamp (it is spec.data.time), found {found}"
    for path, name in _roles(model).items():
        declared = data.columns.get(name)
        if declared is not None and declared.privacy == "drop":
            yield f"spec.data.columns.{name}.privacy: expected the column of {path} to be kept, found drop"
        if data.columns_closed and declared is None:
            yield f"{path}: expected one of the declared columns (columnsClosed), found {name!r}"


def _roles(model: Model) -> dict[str, str]:
    """The columns that the spec names outside `columns`, by the path that names them."""
    data, legacy = model.spec.data, model.spec.legacy
    named = {f"spec.data.{role}": getattr(data, role) for role in ("target", "id", "time", "entity")}
    named["spec.legacy.column"] = legacy.column if legacy else None
    return {path: name for path, name in named.items() if name is not None}


def _rest(model: Model) -> Iterator[str]:
    spec = model.spec
    if not 0.5 < spec.confidence < 1:
        yield f"spec.confidence: expected more than 50% and less than 100%, found {format_percent(spec.confidence)}"
    yield from _train(model)
    yield from _legacy(model)
    yield from _rollout(spec.serve.rollout)
    if spec.monitor.ground_truth is not None:
        yield from metric_problem(model, spec.monitor.ground_truth.metric, "spec.monitor.groundTruth.metric")


def _train(model: Model) -> Iterator[str]:
    train, is_of_classes = model.spec.train, model.spec.task in ("binary", "multiclass", "text")
    if train.trainer not in ("xgboost", "torch") and not re.fullmatch(_OWN_TRAINER, train.trainer):
        yield f"spec.train.trainer: expected xgboost, torch or package.module:name, found {train.trainer!r}"
    if train.class_weights != "none" and not is_of_classes:
        yield f"spec.train.classWeights: expected none with task {model.spec.task}, found {train.class_weights}"
    monotone = next((name for name, column in model.spec.data.columns.items() if column.monotone), None)
    if monotone is not None and train.trainer != "xgboost":
        yield f"spec.data.columns.{monotone}.monotone: expected only with trainer xgboost, found {train.trainer}"
    elif monotone is not None and model.spec.task in ("multiclass", "text"):
        yield f"spec.data.columns.{monotone}.monotone: expected one score a row, found task {model.spec.task}"


def _legacy(model: Model) -> Iterator[str]:
    legacy = model.spec.legacy
    if legacy is None:
        return
    given = [name for name in ("column", "command", "url") if getattr(legacy, name) is not None]
    if len(given) != 1:
        yield f"spec.legacy: expected one of column, command, url, found {' and '.join(given) or 'none'}"
    if legacy.column == model.spec.data.target:
        yield f"spec.legacy.column: expected another column than the target, found {legacy.column!r} in both"


def _rollout(rollout: Rollout) -> Iterator[str]:
    steps = list(rollout.steps)
    if not steps or steps != sorted(set(steps)):
        yield f"spec.serve.rollout.steps: expected ascending percentages, found {steps}"


def not_built_yet(model: Model) -> list[str]:
    """Fields that the schema accepts and this release does not serve; running such a model is refused."""
    spec = model.spec
    waiting = {
        "spec.train.nodes": spec.train.nodes > 1,
        "spec.legacy": spec.legacy is not None and spec.legacy.column is None,
        "spec.fairness.mitigate": spec.fairness.mitigate != "none",
        "spec.monitor.groundTruth": spec.monitor.ground_truth is not None,
        "spec.retrain.schedule": spec.retrain.schedule is not None,
        "spec.retrain.triggers": bool(spec.retrain.triggers),
        "spec.serve.rollout.shadow": bool(spec.serve.rollout.shadow),
    }
    return [path for path, is_asked_for in waiting.items() if is_asked_for]
