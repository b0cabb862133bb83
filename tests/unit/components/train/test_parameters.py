# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from typing import Any

import pytest

from components.train.inputs import cuda_devices
from components.train.parameters import ROUNDS, parameters
from kelp.errors import EnvironmentFault, InputError
from kelp.trainer import Rows, Training
from tests.unit.components.train.matrices import a_transform

ALL_LEFT = "expected it to be left to spec.train"


def a_request(params: dict[str, Any], task: str = "binary", **fields: Any) -> Training:
    """A training whose rows are never read."""
    return Training(transform=a_transform(task), rows=Rows(Path("none"), ()), params=params, seed=7, **fields)


@pytest.mark.parametrize(
    ("task", "objective", "loss"),
    [
        pytest.param("binary", "binary:logistic", "logloss", id="binary"),
        pytest.param("multiclass", "multi:softprob", "mlogloss", id="multiclass"),
        pytest.param("text", "multi:softprob", "mlogloss", id="text"),
        pytest.param("regression", "reg:squarederror", "rmse", id="regression"),
        pytest.param("forecast", "reg:squarederror", "rmse", id="forecast"),
    ],
)
def test_the_task_decides_the_objective(task: str, objective: str, loss: str) -> None:
    params, rounds = parameters(a_request({}, task))
    assert (params["objective"], params["eval_metric"], rounds) == (objective, loss, 200)
    assert params.get("num_class") == (3 if task in ("multiclass", "text") else None)


@pytest.mark.parametrize("name", ROUNDS)
def test_rounds_have_three_names(name: str) -> None:
    params, rounds = parameters(a_request({name: 3}))
    assert rounds == 3
    assert name not in params


@pytest.mark.parametrize(
    ("params", "place", "said"),
    [
        pytest.param({"max_dept": 3}, "max_dept", "has no parameter 'max_dept'", id="misspelt"),
        pytest.param({"name": "x"}, "name", "has no parameter", id="only-a-word-of-the-configuration"),
        pytest.param({"num_feature": 3}, "num_feature", "has no parameter", id="of-the-model-not-of-the-fit"),
        pytest.param({"early_stopping_rounds": 3}, "early_stopping_rounds", ALL_LEFT, id="python-only"),
        pytest.param({"max_depth": "deep"}, "max_depth", "expect int but value='deep'", id="word-for-a-number"),
        pytest.param({"max_depth": 3.7}, "max_depth", "expect int", id="fraction-for-a-whole-number"),
        pytest.param({"max_depth": True}, "max_depth", "expect int", id="bool-for-a-number"),
        pytest.param({"max_depth": -1}, "max_depth", "greater equal to 0", id="out-of-range"),
        pytest.param({"learning_rate": -1}, "learning_rate", "greater equal to 0", id="alias-out-of-range"),
        pytest.param({"eta": "fast"}, "eta", "XGBoost refused", id="xgboost-does-not-name-it"),
        pytest.param({"subsample": 2}, "subsample", "exceed bound", id="beyond-one"),
        pytest.param({"grow_policy": "wild"}, "grow_policy", "valid values are", id="unknown-word"),
        pytest.param({"base_score": 2}, "base_score", "must be in (0,1)", id="impossible-base-score"),
        pytest.param({"monotone_constraints": "(1,1,1,1,1)"}, "monotone_constraints", "constraint", id="too-many"),
        pytest.param({"max_bin": 1.5}, "max_bin", "expected a whole number", id="bins-are-whole"),
        pytest.param({"max_bin": 1}, "max_bin", "greater than 2", id="one-bin"),
        pytest.param({"rounds": 0}, "rounds", "expected from 1 to 100000, found 0", id="no-rounds"),
        pytest.param({"rounds": 1.5}, "rounds", "found 1.5", id="half-a-round"),
        pytest.param({"rounds": True}, "rounds", "found True", id="true-rounds"),
        pytest.param({"n_estimators": "many"}, "n_estimators", "found 'many'", id="rounds-by-another-name"),
        pytest.param({"rounds": 1_000_000}, "rounds", "found 1000000", id="too-many-rounds"),
        pytest.param({"rounds": 3, "n_estimators": 4}, "n_estimators", "under two names", id="rounds-twice"),
        pytest.param({"eta": 0.1, "learning_rate": 0.2}, "learning_rate", "under two names", id="eta-twice"),
        pytest.param({"objective": "count:poisson"}, "objective", "left to spec.task", id="objective"),
        pytest.param({"eval_metric": "auc"}, "eval_metric", "left to spec.task", id="metric"),
        pytest.param({"num_class": 4}, "num_class", "left to the labels", id="classes"),
        pytest.param({"seed": 3}, "seed", "left to spec.train.seed", id="seed"),
        pytest.param({"random_state": 3}, "random_state", "left to spec.train.seed", id="random-state"),
        pytest.param({"device": "cuda"}, "device", "left to spec.train.resources", id="device"),
        pytest.param({"booster": "dart"}, "booster", "expected gbtree, found 'dart'", id="booster"),
        pytest.param({"tree_method": "exact"}, "tree_method", "expected hist", id="tree-method"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(params: dict[str, Any], place: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parameters(a_request({"max_delta_step": 1, **params}))
    assert caught.value.place == f"spec.train.params.{place}"
    assert said in caught.value.message
    assert caught.value.fix
    assert "\n" not in caught.value.message
    assert "/xgboost/" not in caught.value.message


def test_a_misspelt_parameter_is_corrected() -> None:
    with pytest.raises(InputError) as caught:
        parameters(a_request({"max_dept": 3}))
    assert caught.value.fix == "did you mean max_depth?"


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"booster": "gbtree", "tree_method": "hist"}, id="the-only-values"),
        pytest.param({"subsample": 0.8, "colsample_bytree": 0.5, "reg_lambda": 2, "min_child_weight": 3}, id="usual"),
        pytest.param({"grow_policy": "lossguide", "max_leaves": 8, "max_bin": 64}, id="leaf-wise"),
        pytest.param({"monotone_constraints": "(1,0,0,0)", "num_parallel_tree": 2}, id="rare"),
        pytest.param({"scale_pos_weight": 3, "base_score": 0.3}, id="of-the-objective"),
    ],
)
def test_xgboosts_own_parameters_are_taken(params: dict[str, Any]) -> None:
    assert params.keys() - parameters(a_request(params))[0].keys() <= {"reg_lambda"}


def test_monotone_columns_are_declared_once() -> None:
    declared: dict[str, Any] = {"monotone": {"feature 2": -1}}
    assert parameters(a_request({}, **declared))[0]["monotone_constraints"] == "(0,0,-1,0)"
    with pytest.raises(InputError, match="expected it once"):
        parameters(a_request({"monotone_constraints": "(1,0,0,0)"}, **declared))


def test_a_gpu_that_xgboost_does_not_find_is_a_fault() -> None:
    training = a_request({}, device="cuda")
    if cuda_devices():
        assert parameters(training)[0]["device"] == "cuda"
        return
    with pytest.raises(EnvironmentFault, match="expected XGBoost to compute on cuda, it would on cpu"):
        parameters(training)
