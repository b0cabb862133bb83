# SPDX-License-Identifier: Apache-2.0
"""The rules of gates: an impossible gate is refused before anything runs."""

from typing import Any

import numpy as np
import pytest

from components.evaluate.groups import judge_groups
from components.evaluate.resampling import Setting
from components.evaluate.truth import Truth
from kelp.errors import SpecError
from kelp.spec import Model, model_from_values
from kelp.spec.metrics import METRICS, metrics_of

COLUMNS = {"band": {"type": "category", "protected": True}, "plain": {"type": "category"}}


def model(gates: list[dict[str, Any]], task: str = "binary", **spec: Any) -> Model:
    data = {"source": "data://x", "target": "y", "columns": COLUMNS}
    whole = {"task": task, "data": data, "gates": gates, **spec}
    return model_from_values(
        {"apiVersion": "kelp.dev/v1alpha1", "kind": "Model", "metadata": {"name": "fraud"}, "spec": whole}, ""
    )


def problems_of(gates: list[dict[str, Any]], task: str = "binary") -> list[str]:
    with pytest.raises(SpecError) as caught:
        model(gates, task)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("task", "gate", "line"),
    [
        pytest.param(
            "regression",
            {"metric": "f1", "atLeast": 0.5},
            ".metric: expected a metric of task regression (rmse, mae, r2), found 'f1'",
            id="metric-of-another-task",
        ),
        pytest.param(
            "regression",
            {"metric": "RMSE", "atMost": 5},
            ".metric: expected a metric of task regression (rmse, mae, r2), found 'RMSE'",
            id="unknown-metric",
        ),
        pytest.param(
            "binary", {"metric": "f1"}, ": expected one of atLeast, atMost, notWorseThan, found none", id="no-condition"
        ),
        pytest.param(
            "binary",
            {"metric": "f1", "atLeast": 0.5, "atMost": 0.6},
            ": expected one of atLeast, atMost, notWorseThan, found atLeast and atMost",
            id="two-conditions",
        ),
        pytest.param(
            "binary",
            {"metric": "f1", "atLeast": 0.5, "by": 0.1},
            ".by: expected only with notWorseThan, found 0.1",
            id="by-without-comparison",
        ),
        pytest.param(
            "binary",
            {"metric": "f1", "notWorseThan": "legacy"},
            ".notWorseThan: expected spec.legacy to say what the legacy system is, found nothing",
            id="legacy-unknown",
        ),
        pytest.param(
            "binary", {"metric": "f1", "atMost": 1.4}, ".atMost: expected a number <= 1, got 1.4", id="over-the-range"
        ),
        pytest.param(
            "binary",
            {"metric": "f1", "atLeast": -0.1},
            ".atLeast: expected a number >= 0, got -0.1",
            id="under-the-range",
        ),
        pytest.param(
            "regression",
            {"metric": "rmse", "atMost": -1},
            ".atMost: expected a number >= 0, got -1",
            id="negative-error",
        ),
        pytest.param(
            "regression",
            {"metric": "r2", "atLeast": 1.1},
            ".atLeast: expected a number <= 1, got 1.1",
            id="r2-over-one",
        ),
        pytest.param(
            "binary",
            {"metric": "selection_rate", "notWorseThan": "champion"},
            ".notWorseThan: expected a metric with a better direction, found selection_rate; limit it instead",
            id="no-better-direction",
        ),
        pytest.param(
            "binary",
            {"metric": "f1", "gapAcross": "nobody", "atMost": 0.2},
            ".gapAcross: expected a column declared `protected: true`, found 'nobody'",
            id="gap-of-unknown-column",
        ),
        pytest.param(
            "binary",
            {"metric": "f1", "gapAcross": "plain", "atMost": 0.2},
            ".gapAcross: expected a column declared `protected: true`, found 'plain'",
            id="gap-of-plain-column",
        ),
        pytest.param(
            "binary",
            {"metric": "f1", "gapAcross": "band", "atLeast": 0.2},
            ": expected atMost beside gapAcross, found atLeast",
            id="gap-at-least",
        ),
        pytest.param(
            "binary",
            {"metric": "f1", "gapAcross": "band", "notWorseThan": "champion"},
            ": expected atMost beside gapAcross, found notWorseThan",
            id="gap-compared",
        ),
        pytest.param(
            "binary",
            {"metric": "f1", "gapAcross": "band"},
            ": expected one of atLeast, atMost, notWorseThan, found none",
            id="gap-without-limit",
        ),
        pytest.param(
            "binary",
            {"metric": "f1", "gapAcross": "band", "atMost": 1.2},
            ".atMost: expected a number <= 1, got 1.2",
            id="gap-over-one",
        ),
        pytest.param(
            "regression",
            {"metric": "r2", "gapAcross": "band", "atMost": -1},
            ".atMost: expected a number >= 0, got -1",
            id="negative-gap",
        ),
    ],
)
def test_an_impossible_gate_is_refused(task: str, gate: dict[str, Any], line: str) -> None:
    assert problems_of([gate], task) == [f"spec.gates[0]{line}"]


def test_the_third_gate_is_called_by_its_index() -> None:
    right = {"metric": "f1", "atLeast": 0.5}
    assert problems_of([right, right, {"metric": "f1", "atMost": 1.4}]) == [
        "spec.gates[2].atMost: expected a number <= 1, got 1.4"
    ]


def test_a_negative_margin_is_refused() -> None:
    problem = "spec.gates[0].by: expected a number >= 0, got -0.1"
    assert problems_of([{"metric": "f1", "notWorseThan": "champion", "by": -0.1}]) == [problem]


@pytest.mark.parametrize(
    ("task", "gate"),
    [
        pytest.param("binary", {"metric": "f1", "atLeast": 1}, id="at the end of the range"),
        pytest.param("binary", {"metric": "selection_rate", "atMost": 0.1}, id="a limit without direction"),
        pytest.param("regression", {"metric": "rmse", "atMost": 1e9}, id="no upper end"),
        pytest.param("regression", {"metric": "r2", "atLeast": -3}, id="no lower end"),
        pytest.param("regression", {"metric": "r2", "gapAcross": "band", "atMost": 1.5}, id="a gap over one"),
        pytest.param("multiclass", {"metric": "macro_f1", "notWorseThan": "dummy"}, id="dummy"),
        pytest.param("forecast", {"metric": "mase", "atMost": 1}, id="a forecast"),
    ],
)
def test_a_possible_gate_is_taken(task: str, gate: dict[str, Any]) -> None:
    forecast = {"time": "t", "series": {"key": ["s"], "frequency": "1d", "horizon": "1d"}}
    data = {"source": "data://x", "target": "y", "columns": COLUMNS, **(forecast if task == "forecast" else {})}
    model([gate], task, data=data)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_evaluation_bounds_every_metric_that_a_gap_may_name(task: str) -> None:
    """Else a gap of that metric could be asked for and never be decided."""
    rows = 400
    rng = np.random.default_rng(7)
    target = rng.integers(0, 3 if task == "multiclass" else 2, rows).astype(np.float64)
    score = rng.dirichlet(np.ones(3), rows) if task == "multiclass" else rng.random(rows)
    labels = np.array(["young", "old"] * (rows // 2), dtype=object)
    for name in metrics_of(task):
        if name == "ndcg_at_10":
            continue
        model([{"metric": name, "gapAcross": "band", "atMost": 0.5}], task)
        setting = Setting(0.95, rng)
        found = judge_groups(setting, Truth(task, target), score, {"band": labels}, {"band": {name}})["band"]
        assert all(group[name].is_bounded for group in found.values()), name


def test_every_metric_belongs_to_a_task() -> None:
    assert {
        name for task in ("binary", "multiclass", "regression", "forecast", "text") for name in metrics_of(task)
    } == set(METRICS)
