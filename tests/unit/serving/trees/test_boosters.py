# SPDX-License-Identifier: Apache-2.0
"""The models that the trainer `xgboost` exports are known, whatever its parameters, and answered as elsewhere."""

from typing import Any

import numpy as np
import pytest
import xgboost

from components.train.boosting_onnx import export_onnx
from kelp.frame.scorer import GOLDEN_TOLERANCE
from serving.trees.ensemble import ensemble_from_onnx
from tests.unit.components.train.matrices import a_transform
from tests.unit.serving.trees.models import by_kernel, by_onnx, the_ensemble

WIDTH, ROWS = 6, 400
OBJECTIVES: dict[str, dict[str, Any]] = {
    "binary": {"objective": "binary:logistic"},
    "multiclass": {"objective": "multi:softprob", "num_class": 3},
    "text": {"objective": "multi:softprob", "num_class": 3},
    "regression": {"objective": "reg:squarederror"},
    "forecast": {"objective": "reg:squarederror"},
}
PARAMS = [
    pytest.param({}, id="as they come"),
    pytest.param({"max_depth": 1}, id="stumps"),
    pytest.param({"max_depth": 12, "min_child_weight": 0}, id="deep"),
    pytest.param({"max_depth": 0, "max_leaves": 40, "grow_policy": "lossguide"}, id="by loss"),
    pytest.param({"num_parallel_tree": 3, "subsample": 0.5}, id="forests"),
    pytest.param({"gamma": 1e9}, id="no split is worth it"),
    pytest.param({"base_score": 0.25}, id="a base score"),
]


def a_booster(task: str, params: dict[str, Any], rounds: int = 20) -> tuple[Any, Any]:
    random = np.random.default_rng(3)
    rows = np.round(random.normal(size=(ROWS, WIDTH)), 1).astype(np.float32)  # values meet thresholds
    signal = rows[:, 0] + 2 * rows[:, 1] * rows[:, 2] + random.normal(size=ROWS) / 4
    classes = len(a_transform(task, WIDTH).classes)
    target = np.digitize(signal, np.linspace(-1, 1, classes + 1)[1:-1]) if classes else 1000 * signal
    settings = {"nthread": 1, "verbosity": 0, "max_bin": 64, **OBJECTIVES[task], **params}
    return xgboost.train(settings, xgboost.DMatrix(rows, target), rounds), rows


@pytest.mark.parametrize("params", PARAMS)
@pytest.mark.parametrize("task", OBJECTIVES)
def test_an_exported_booster_is_answered_as_by_onnx_runtime(task: str, params: dict[str, Any]) -> None:
    booster, rows = a_booster(task, params)
    content = export_onnx(booster, a_transform(task, WIDTH))
    expected, found = by_onnx(content, rows), by_kernel(content, rows)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=GOLDEN_TOLERANCE, atol=GOLDEN_TOLERANCE)


def test_trees_are_counted_class_by_class() -> None:
    booster, _ = a_booster("multiclass", {}, rounds=5)
    ensemble = the_ensemble(export_onnx(booster, a_transform("multiclass", WIDTH)), WIDTH)
    assert ensemble.targets.tolist() == [0, 1, 2] * 5
    assert ensemble.post == "softmax"


def test_an_objective_with_another_link_is_left_to_onnx_runtime() -> None:
    random = np.random.default_rng(3)
    rows = random.normal(size=(ROWS, WIDTH)).astype(np.float32)
    booster = xgboost.train({"objective": "count:poisson"}, xgboost.DMatrix(rows, random.poisson(3, ROWS)), 5)
    assert ensemble_from_onnx(export_onnx(booster, a_transform("regression", WIDTH)), WIDTH) is None
