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
        ["data.series.horizon: expected a whole number of frequencies, found 1d and 36h"],
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
        {"features": [feature("f"), feature("f")], "data": {"time": "t"}},
        [
            "features[0].name: expected a name of its own, found 'f' twice",
            "features[1].name: expected a name of its own, found 'f' twice",
        ],
        id="feature-twice",
    ),
    pytest.param(
        {"features": [feature("c")], "data": {"time": "t", **with_column()["data"]}},
        ["features[0].name: expected a name of its own, found 'c' twice"],
        id="feature-named-as-column",
    ),
    pytest.param(
        {"features": [feature("f")]},
        ["data.time: expected the column of time, found nothing; rolling features need one"],
        id="feature-without-time",
    ),
    pytest.param(
        {"features": [feature("f") | {"over": "y"}], "data": {"time": "t"}},
        ["features[0].over: expected a column that is known when a request is sent, found the target 'y'"],
        id="feature-over-the-target",
    ),
    pytest.param(
        {"features": [feature("f") | {"over": "t", "by": "t"}], "data": {"time": "t"}},
        [
            "features[0].by: expected a column of entities, found 't'",
            "features[0].over: expected a column of numbers, found the time 't'",
        ],
        id="feature-by-and-over-the-time",
    ),
    pytest.param(
        {"features": [feature("f")], "data": {"time": "t", "columns": {"a": {"type": "category"}}}},
        ["features[0].take: expected count, distinct or since of a category, found sum"],
        id="sum-of-words",
    ),
    pytest.param(
        {"features": [feature("f")], "data": {"time": "t", "columns": {"b": {"type": "string", "privacy": "drop"}}}},
        ["features[0].by: expected a column that is kept, found `privacy: drop` on b"],
        id="feature-by-a-dropped-column",
    ),
    pytest.param(
        {"train": {"trainer": "../evil.py"}},
        ["train.trainer: expected xgboost, torch or package.module:name, found '../evil.py'"],
        id="trainer-is-no-name",
    ),
    pytest.param(
        {"task": "regression", "train": {"classWeights": "balanced"}},
        ["train.classWeights: expected none with task regression, found balanced"],
        id="weights-without-classes",
    ),
    pytest.param(
        {"train": {"trainer": "torch"}, **with_column(monotone="increasing")},
        ["data.columns.c.monotone: expected only with trainer xgboost, found torch"],
        id="monotone-network",
    ),
    pytest.param(
        {"task": "multiclass", **with_column(monotone="increasing")},
        ["data.columns.c.monotone: expected one score a row, found task multiclass"],
        id="monotone-with-several-scores",
    ),
    pytest.param(
        {"data": {"csv": {"delimiter": "a", "encoding": "klingon"}}},
        [
            "data.csv.delimiter: expected a sign of ASCII such as , or ;, found 'a'",
            "data.csv.encoding: expected one that Python knows, such as windows-1252, found 'klingon'",
        ],
        id="csv-that-cannot-be",
    ),
    pytest.param(
        {"data": {"csv": {"delimiter": ",", "decimal": ","}}},
        ["data.csv.delimiter: expected another sign than the quote and the decimal, found ','"],
        id="csv-with-one-sign-for-two",
    ),
    pytest.param(
        {"task": "forecast", "data": {"time": "t", "series": SERIES | {"key": [], "knownAhead": ["y"]}}},
        [
            "data.series.key: expected one or more columns that name a series, found none",
            "data.series.knownAhead[0]: expected another column than the target and the time, found 'y'",
        ],
        id="series-that-cannot-be",
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
            "accuracy, precision, recall, f1, false_positive_rate, selection_rate, ndcg_at_10), found 'rmse'"
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


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"task": "forecast", "data": {"time": "t", "series": SERIES}}, id="forecast"),
        pytest.param({"task": "text", "train": {"trainer": "torch"}}, id="text"),
        pytest.param({"data": {"engine": "spark"}, "train": {"search": {"trials": 2}}}, id="spark and a search"),
        pytest.param({"features": [feature("f")], "data": {"time": "t"}}, id="rolling features"),
        pytest.param({"train": {"trainer": "shop.nets:Wide"}}, id="an own trainer"),
    ],
)
def test_what_is_built_is_not_refused(spec: dict[str, Any]) -> None:
    assert not_built_yet(model_from_values(values(spec), "")) == []
