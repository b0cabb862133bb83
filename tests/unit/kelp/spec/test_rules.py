# SPDX-License-Identifier: Apache-2.0
"""The rules between the fields of a spec: one case a rule, with the exact line that it says."""

from typing import Any

import pytest

from kelp.errors import SpecError
from kelp.spec import model_from_values
from kelp.spec.rules import not_built_yet

DATA = {"source": "data://fraud/*.parquet", "target": "y"}
SERIES = {"key": ["store"], "frequency": "1d", "horizon": "14d"}


def values(spec: dict[str, Any]) -> dict[str, Any]:
    """A right spec, with the parts of `spec` put over it."""
    whole = {"task": "binary", **spec, "data": DATA | spec.get("data", {})}
    return {"apiVersion": "kelp.dev/v1alpha1", "kind": "Model", "metadata": {"name": "fraud"}, "spec": whole}


def with_column(**column: Any) -> dict[str, Any]:
    return {"data": {"columns": {"c": {"type": "float"} | column}}}


def feature(name: str) -> dict[str, Any]:
    return {"name": name, "over": "a", "by": "b", "window": "1h", "take": "sum"}


BROKEN = [
    pytest.param(
        {"data": {"source": "fraud.csv"}},
        ["data.source: expected data://, file:// or s3:// and a path, found 'fraud.csv'"],
        id="source-without-scheme",
    ),
    pytest.param(
        {"data": {"source": "http://x/y"}},
        ["data.source: expected data://, file:// or s3:// and a path, found 'http://x/y'"],
        id="source-of-another-scheme",
    ),
    pytest.param(
        {"data": {"source": "data://"}},
        ["data.source: expected data://, file:// or s3:// and a path, found 'data://'"],
        id="source-without-path",
    ),
    pytest.param(
        {"data": {"source": "data://a\0b"}},
        ["data.source: expected data://, file:// or s3:// and a path, found 'data://a\\x00b'"],
        id="source-with-nul",
    ),
    pytest.param(
        {"data": {"source": "file://a.csv"}},
        ["data.source: expected file:/// and an absolute path, found 'file://a.csv'"],
        id="source-relative-file",
    ),
    pytest.param(
        {"data": {"source": "data://../x"}},
        ["data.source: expected a path inside its root, found `..` in 'data://../x'"],
        id="source-leads-out",
    ),
    pytest.param(
        {"task": "regression", "data": {"positive": "yes"}},
        ["data.positive: expected only with task binary, found with task regression"],
        id="positive-of-a-number",
    ),
    pytest.param(
        {"data": {"id": "y"}},
        ["data.id: expected another column than the target, found 'y' in both"],
        id="id-is-target",
    ),
    pytest.param(
        {"data": {"time": "y"}},
        ["data.time: expected another column than the target, found 'y' in both"],
        id="time-is-target",
    ),
    pytest.param(
        {"data": {"entity": "y"}},
        ["data.entity: expected another column than the target, found 'y' in both"],
        id="entity-is-target",
    ),
    pytest.param(
        {"data": {"split": {"by": "time"}}},
        ["data.split.by: expected spec.data.time to name a column, found nothing"],
        id="split-by-no-time",
    ),
    pytest.param(
        {"data": {"split": {"by": "entity"}}},
        ["data.split.by: expected spec.data.entity to name a column, found nothing"],
        id="split-by-no-entity",
    ),
    pytest.param(
        {"data": {"split": {"test": "0.5%"}}},
        ["data.split.test: expected from 1% to 90%, found 0.5%"],
        id="test-too-small",
    ),
    pytest.param(
        {"data": {"split": {"test": "91%"}}},
        ["data.split.test: expected from 1% to 90%, found 91%"],
        id="test-too-large",
    ),
    pytest.param(
        {"data": {"split": {"gap": "1d"}}},
        ["data.split.gap: expected only with a split by time, found a split by row"],
        id="gap-without-time",
    ),
    pytest.param(
        {"data": {"series": SERIES}},
        ["data.series: expected only with task forecast, found with task binary"],
        id="series-without-forecast",
    ),
    pytest.param(
        {"task": "forecast", "data": {"series": SERIES}},
        ["data.time: expected the column of time, found nothing; a forecast needs one"],
        id="forecast-without-time",
    ),
    pytest.param(
        {"task": "forecast", "data": {"time": "t"}},
        ["data.series: expected key, frequency and horizon, found nothing; a forecast needs them"],
        id="forecast-without-series",
    ),
    pytest.param(
        {"task": "forecast", "data": {"time": "t", "series": SERIES | {"horizon": "36h"}}},
        ["data.series.horizon: expected a whole number of frequencies, found 36h and 1d"],
        id="horizon-between-steps",
    ),
    pytest.param(
        {"data": {"time": "t", "columns": {"t": {"type": "string"}}}},
        ["data.columns.t.type: expected timestamp (it is spec.data.time), found string"],
        id="time-is-no-time",
    ),
    pytest.param(
        {"data": {"columns": {"y": {"type": "category", "privacy": "drop"}}}},
        ["data.columns.y.privacy: expected the column of spec.data.target to be kept, found drop"],
        id="target-dropped",
    ),
    pytest.param(
        {"legacy": {"column": "c"}, **with_column(privacy="drop")},
        ["data.columns.c.privacy: expected the column of spec.legacy.column to be kept, found drop"],
        id="legacy-dropped",
    ),
    pytest.param(
        {"data": {"columnsClosed": True, "id": "i", "columns": {"y": {"type": "bool"}}}},
        ["data.id: expected one of the declared columns (columnsClosed), found 'i'"],
        id="closed-without-id",
    ),
    pytest.param(
        {"features": [feature("f"), feature("f")]},
        [
            "features[0].name: expected a name of its own, found 'f' twice",
            "features[1].name: expected a name of its own, found 'f' twice",
        ],
        id="feature-twice",
    ),
    pytest.param(
        {"features": [feature("c")], **with_column()},
        ["features[0].name: expected a name of its own, found 'c' twice"],
        id="feature-named-as-column",
    ),
    pytest.param(
        {"confidence": "50%"},
        ["confidence: expected more than 50% and less than 100%, found 50%"],
        id="confidence-of-a-coin",
    ),
    pytest.param(
        {"confidence": "100%"},
        ["confidence: expected more than 50% and less than 100%, found 100%"],
        id="confidence-certain",
    ),
    pytest.param({"legacy": {}}, ["legacy: expected one of column, command, url, found none"], id="legacy-empty"),
    pytest.param(
        {"legacy": {"column": "c", "url": "http://x"}},
        ["legacy: expected one of column, command, url, found column and url"],
        id="legacy-twice",
    ),
    pytest.param(
        {"legacy": {"column": "y"}},
        ["legacy.column: expected another column than the target, found 'y' in both"],
        id="legacy-is-target",
    ),
    pytest.param(
        {"serve": {"rollout": {"steps": [25, 5]}}},
        ["serve.rollout.steps: expected ascending percentages, found [25, 5]"],
        id="steps-descend",
    ),
    pytest.param(
        {"serve": {"rollout": {"steps": [5, 5]}}},
        ["serve.rollout.steps: expected ascending percentages, found [5, 5]"],
        id="steps-repeat",
    ),
    pytest.param(
        {"serve": {"rollout": {"steps": []}}},
        ["serve.rollout.steps: expected ascending percentages, found []"],
        id="no-steps",
    ),
    pytest.param(
        {"monitor": {"groundTruth": {"within": "7d", "metric": "rmse", "drop": 0.1}}},
        [
            "monitor.groundTruth.metric: expected a metric of task binary (roc_auc, pr_auc, log_loss, brier, ece, "
            "accuracy, precision, recall, f1, false_positive_rate, selection_rate), found 'rmse'"
        ],
        id="ground-truth-of-another-task",
    ),
]


@pytest.mark.parametrize(("spec", "lines"), BROKEN)
def test_a_broken_rule_says_where_what_was_expected_and_found(spec: dict[str, Any], lines: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        model_from_values(values(spec), "fraud.yaml")
    assert list(caught.value.problems) == [f"spec.{line}" for line in lines]


def test_every_broken_rule_is_reported_at_once() -> None:
    wrong = {
        "data": {
            "source": "nowhere",
            "id": "y",
            "split": {"test": "95%"},
            "columns": {"c": {"type": "bool", "min": 0}},
        },
        "gates": [{"metric": "rmse", "atLeast": 1}],
        "confidence": "10%",
    }
    with pytest.raises(SpecError) as caught:
        model_from_values(values(wrong), "fraud.yaml")
    places = [problem.split(":")[0].removeprefix("spec.") for problem in caught.value.problems]
    assert places == [
        "data.source",
        "data.id",
        "data.split.test",
        "data.columns.c.min",
        "gates[0].metric",
        "confidence",
    ]


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"data": {"source": "s3://bucket/fraud/*.parquet"}}, id="s3"),
        pytest.param({"data": {"source": "file:///fraud..csv"}}, id="two dots in a name"),
        pytest.param({"data": {"split": {"test": "1%"}}}, id="the smallest test part"),
        pytest.param({"data": {"split": {"test": "90%"}}}, id="the largest test part"),
        pytest.param({"data": {"time": "t", "split": {"gap": "1d"}}}, id="a gap of time"),
        pytest.param({"task": "forecast", "data": {"time": "t", "series": SERIES}}, id="a forecast"),
        pytest.param({"data": {"columnsClosed": True, "columns": {"y": {"type": "bool"}}}}, id="closed and whole"),
        pytest.param({"serve": {"rollout": {"steps": [50]}}}, id="one step"),
    ],
)
def test_a_right_spec_has_no_problems(spec: dict[str, Any]) -> None:
    model_from_values(values(spec), "")


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        pytest.param({"task": "text"}, "spec.task", id="text"),
        pytest.param({"data": {"engine": "spark"}}, "spec.data.engine", id="spark"),
        pytest.param({"features": [feature("f")]}, "spec.features", id="rolling features"),
        pytest.param({"train": {"trainer": "torch"}}, "spec.train.trainer", id="torch"),
        pytest.param({"train": {"search": {"trials": 2}}}, "spec.train.search", id="search"),
        pytest.param({"train": {"nodes": 2}}, "spec.train.nodes", id="several nodes"),
        pytest.param({"legacy": {"command": "score"}}, "spec.legacy", id="a legacy command"),
        pytest.param({"fairness": {"mitigate": "reweigh"}}, "spec.fairness.mitigate", id="mitigation"),
        pytest.param(
            {"monitor": {"groundTruth": {"within": "7d", "metric": "f1", "drop": 0.1}}},
            "spec.monitor.groundTruth",
            id="late labels",
        ),
        pytest.param({"retrain": {"schedule": "0 3 * * 1"}}, "spec.retrain.schedule", id="schedule"),
        pytest.param({"retrain": {"triggers": ["drift"]}}, "spec.retrain.triggers", id="triggers"),
        pytest.param({"serve": {"rollout": {"shadow": "5m"}}}, "spec.serve.rollout.shadow", id="shadow"),
    ],
)
def test_a_field_without_code_behind_it_is_named(spec: dict[str, Any], path: str) -> None:
    assert not_built_yet(model_from_values(values(spec), "")) == [path]


def test_a_forecast_names_its_task_and_its_series() -> None:
    model = model_from_values(values({"task": "forecast", "data": {"time": "t", "series": SERIES}}), "")
    assert not_built_yet(model) == ["spec.task", "spec.data.series"]
