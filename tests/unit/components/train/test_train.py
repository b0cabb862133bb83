# SPDX-License-Identifier: Apache-2.0
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from components.train import ROUNDS, train
from kelp.errors import InputError
from tests.unit.components.ingest.factories import a_model, json_of
from tests.unit.components.train.matrices import write_matrix


def trained(folder: Path, *, task: str = "binary", seed: int = 7, **params: Any) -> tuple[dict[str, Any], Any]:
    """Train on the matrix of `folder / task`; return train.json and the booster."""
    out = folder / f"trained-{task}-{seed}-{hashlib.sha256(repr(params).encode()).hexdigest()[:8]}"
    out.mkdir()
    result = train(
        a_model(task=task, params={"rounds": 10, **params}), write_matrix(folder / task, task=task), seed, out
    )
    assert result == json_of(out / "train.json")
    return result, xgboost.Booster(model_file=out / "model.ubj")


@pytest.mark.parametrize(
    ("task", "objective", "shape"),
    [
        pytest.param("binary", "binary:logistic", (3,), id="binary"),
        pytest.param("multiclass", "multi:softprob", (3, 3), id="multiclass"),
        pytest.param("regression", "reg:squarederror", (3,), id="regression"),
    ],
)
def test_the_task_decides_the_objective(tmp_path: Path, task: str, objective: str, shape: tuple[int, ...]) -> None:
    result, booster = trained(tmp_path, task=task)
    assert result["params"]["objective"] == objective
    answers = booster.inplace_predict(np.zeros((3, 4), dtype=np.float32))
    assert answers.shape == shape
    if task != "regression":
        assert ((answers >= 0) & (answers <= 1)).all()


def test_what_is_learnt_is_in_the_data(tmp_path: Path) -> None:
    result, booster = trained(tmp_path, rounds=40)
    rows = np.array([[2, 2, 0, 0], [-2, 0, 0, 0]], dtype=np.float32)
    assert booster.inplace_predict(rows).round().tolist() == [1, 0]
    assert set(list(result["importance"])[:2]) == {"feature 0", "feature 1"}
    assert sum(result["importance"].values()) == pytest.approx(1, abs=1e-5)


def test_the_summary_says_how_it_was_trained(tmp_path: Path) -> None:
    result, booster = trained(tmp_path, learning_rate=0.2, max_depth=3)
    assert (result["trainer"], result["seed"], result["rounds"], result["rows"]) == ("xgboost", 7, 10, 400)
    assert (result["params"]["eta"], result["params"]["max_depth"]) == (0.2, 3)
    assert booster.num_boosted_rounds() == 10
    assert "seconds" not in result


@pytest.mark.parametrize("name", ["rounds", "num_boost_round", "n_estimators"])
def test_rounds_have_three_names(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert train(a_model(params={name: 3}), write_matrix(tmp_path), 7, out)["rounds"] == 3


@pytest.mark.parametrize(
    ("params", "place", "said"),
    [
        pytest.param({"max_dept": 3}, "max_dept", "has no parameter 'max_dept'", id="misspelt"),
        pytest.param({"name": "x"}, "name", "has no parameter", id="only-a-word-of-the-configuration"),
        pytest.param({"num_feature": 3}, "num_feature", "has no parameter", id="of-the-model-not-of-the-fit"),
        pytest.param({"early_stopping_rounds": 3}, "early_stopping_rounds", "has no parameter", id="python-only"),
        pytest.param({"max_depth": "deep"}, "max_depth", "expect int but value='deep'", id="word-for-a-number"),
        pytest.param({"max_depth": 3.7}, "max_depth", "expect int", id="fraction-for-a-whole-number"),
        pytest.param({"max_depth": True}, "max_depth", "expect int", id="bool-for-a-number"),
        pytest.param({"max_depth": -1}, "max_depth", "greater equal to 0", id="out-of-range"),
        pytest.param({"learning_rate": -1}, "learning_rate", "greater equal to 0", id="alias-out-of-range"),
        pytest.param({"eta": "fast"}, "eta", "XGBoost refused", id="xgboost-does-not-name-it"),
        pytest.param({"subsample": 2}, "subsample", "exceed bound", id="beyond-one"),
        pytest.param({"grow_policy": "wild"}, "grow_policy", "valid values are", id="unknown-word"),
        pytest.param({"eval_metric": "luck"}, "eval_metric", "Unknown metric function luck", id="unknown-metric"),
        pytest.param({"device": "abacus"}, "device", "Invalid argument", id="unknown-device"),
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
        pytest.param({"num_class": 4}, "num_class", "left to the labels", id="classes"),
        pytest.param({"seed": 3}, "seed", "left to spec.train.seed", id="seed"),
        pytest.param({"random_state": 3}, "random_state", "left to spec.train.seed", id="random-state"),
        pytest.param({"booster": "dart"}, "booster", "expected gbtree, found 'dart'", id="booster"),
        pytest.param({"tree_method": "exact"}, "tree_method", "expected hist", id="tree-method"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(
    tmp_path: Path, params: dict[str, Any], place: str, said: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(InputError) as caught:
        train(
            a_model(params={"max_delta_step": 1, **({} if place in ROUNDS else {"rounds": 2}), **params}),
            write_matrix(tmp_path),
            7,
            out,
        )
    assert caught.value.place == f"spec.train.params.{place}"
    assert said in caught.value.message
    assert caught.value.fix
    assert "\n" not in caught.value.message
    assert "/xgboost/" not in caught.value.message
    assert not list(out.iterdir())


def test_a_misspelt_parameter_is_corrected(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        trained(tmp_path, max_dept=3)
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
def test_xgboosts_own_parameters_are_taken(tmp_path: Path, params: dict[str, Any]) -> None:
    result, _ = trained(tmp_path, **params)
    assert result["rows"] == 400


def test_where_it_ran_is_recorded_and_a_missing_gpu_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert trained(tmp_path)[0]["device"] == "cpu"
    assert not caplog.text
    used = trained(tmp_path, device="cuda:0")[0]["device"]
    assert (used == "cpu") == ("trained on cpu, for there is no cuda:0 here" in caplog.text)


def test_another_seed_is_another_model_when_rows_are_drawn(tmp_path: Path) -> None:
    first, second = (trained(tmp_path, seed=seed, subsample=0.5)[0] for seed in (7, 8))
    assert first["digest"] != second["digest"]
    assert first["inputDigest"] != second["inputDigest"]


SCRIPT = """
import sys
from pathlib import Path
from components.train import ROUNDS, train
from tests.unit.components.ingest.factories import a_model
model = a_model(task=sys.argv[3], params={"rounds": 30, "subsample": 0.7, "colsample_bytree": 0.7})
print(train(model, Path(sys.argv[1]), 7, Path(sys.argv[2]))["digest"])
"""


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_processes_threads_and_hash_seeds_do_not_change_a_byte(tmp_path: Path, task: str) -> None:
    matrix = write_matrix(tmp_path / "matrix", task=task, rows=20_000, width=8)
    models = []
    for hash_seed, threads in (("1", "1"), ("2", "2")):
        out = tmp_path / threads
        out.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": threads}
        command = [sys.executable, "-c", SCRIPT, str(matrix), str(out), task]
        subprocess.run(command, env=environment, check=True, timeout=120, cwd=Path(__file__).parents[4])
        models.append((out / "model.ubj").read_bytes())
    assert models[0] == models[1]
