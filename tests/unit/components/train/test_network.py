# SPDX-License-Identifier: Apache-2.0
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest

from components.train.network import Network
from components.train.network_settings import settings_of
from kelp.errors import EnvironmentFault, InputError
from tests.unit.components.train.networks import a_table, a_training, plain, with_validation

QUICK = {"epochs": 2, "hidden": 8, "layers": 1}
CONSTANT = {"binary": 0.69, "multiclass": 1.0, "regression": 1.0, "forecast": 1.0}  # the loss of a constant answer


@pytest.mark.parametrize("task", CONSTANT)
def test_it_learns_what_the_rows_say(tmp_path: Path, task: str) -> None:
    training = with_validation(a_table(tmp_path, task=task, params={"epochs": 12}))
    facts = Network().fit(training)
    assert facts["validation"] < 0.5 * CONSTANT[task]


def test_the_facts_name_every_parameter_and_can_be_given_back(tmp_path: Path) -> None:
    training = a_table(tmp_path, rows=100, params=QUICK)
    facts = Network().fit(training)
    assert facts["params"] == {
        "hidden": "8",
        "layers": 1,
        "dropout": 0.1,
        "learning_rate": 0.002,
        "weight_decay": 0.0001,
        "epochs": 2,
        "batch_size": 32,
        "embedding": 32,
    }
    assert Network().fit(replace(training, params=facts["params"])) == facts


def test_without_rows_kept_back_all_epochs_are_run(tmp_path: Path) -> None:
    facts = Network().fit(a_table(tmp_path, rows=100, params=QUICK))
    assert facts["epochs"] == 2
    assert "validation" not in facts
    assert [point["epoch"] for point in facts["curve"]] == [1, 2]


def test_early_stopping_keeps_the_best_weights(tmp_path: Path) -> None:
    done: list[tuple[int, int]] = []
    params = {"epochs": 90, "hidden": 64, "learning_rate": 0.02, "dropout": 0.0}
    training = with_validation(a_table(tmp_path, rows=300, params=params), early_stopping=4)
    facts = Network().fit(replace(training, progress=lambda epoch, total: done.append((epoch, total))))
    losses = {point["epoch"]: point["validation"] for point in facts["curve"]}
    best = min(losses, key=lambda epoch: losses[epoch])
    assert facts["epochs"] == best
    assert facts["validation"] == pytest.approx(losses[best], abs=1e-6)
    assert len(losses) == best + 4 < 90
    assert done == [(epoch, 90) for epoch in losses]


def test_the_curve_is_thinned_and_ends_with_the_last_epoch(tmp_path: Path) -> None:
    facts = Network().fit(a_table(tmp_path, rows=20, params={**QUICK, "epochs": 301}))
    epochs = [point["epoch"] for point in facts["curve"]]
    assert len(epochs) <= 100
    assert epochs[-1] == 301


def test_importance_is_of_the_features_that_say_something(tmp_path: Path) -> None:
    facts = Network().fit(with_validation(a_table(tmp_path, params={"epochs": 8})))
    assert set(facts["importance"]) == {"x", "heavy", "kind"}
    assert sum(facts["importance"].values()) == pytest.approx(1, abs=1e-5)
    assert min(facts["importance"].values()) > 0.05


def test_a_far_outlier_does_not_hide_the_other_values(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    matrix = rng.lognormal(0, 1, size=(1500, 1)).astype(np.float32)
    target = (matrix[:, 0] > 1).astype(np.float64)
    matrix[0] = 1e9
    facts = Network().fit(with_validation(a_training(tmp_path, plain(1), matrix, target, {"epochs": 10})))
    assert facts["validation"] < 0.2


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_one_row_is_enough(tmp_path: Path, task: str) -> None:
    facts = Network().fit(a_table(tmp_path, task=task, rows=1, params={"epochs": 3}))
    assert facts["epochs"] == 3


def test_a_class_that_no_row_has_is_never_answered(tmp_path: Path) -> None:
    matrix = np.random.default_rng(1).normal(size=(200, 2)).astype(np.float32)
    facts = Network().fit(with_validation(a_training(tmp_path, plain(2), matrix, np.zeros(200))))
    assert facts["validation"] < 0.01


def test_thousands_of_features_are_fitted_without_their_importance(tmp_path: Path) -> None:
    matrix = np.random.default_rng(1).normal(size=(200, 2000)).astype(np.float32)
    target = (matrix[:, 7] > 0).astype(np.float64)
    facts = Network().fit(a_training(tmp_path, plain(2000), matrix, target, QUICK))
    assert facts["curve"][-1]["training"] < facts["curve"][0]["training"]
    assert "importance" not in facts


def test_a_learning_rate_that_is_too_high_is_named(tmp_path: Path) -> None:
    training = a_table(tmp_path, task="regression", rows=200, params={"learning_rate": 1e8})
    with pytest.raises(InputError, match=r"a finite loss, found .* learning_rate 1e\+08") as caught:
        Network().fit(training)
    assert caught.value.place == "spec.train.params.learning_rate"
    assert caught.value.fix == "lower it, for instance to 0.01"


def test_a_parameter_is_refused_before_the_fit(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found 'learning_rat'") as caught:
        Network().fit(a_table(tmp_path, rows=20, params={"learning_rat": 0.1}))
    assert caught.value.fix == "did you mean learning_rate?"


def test_a_target_beyond_float32_is_refused(tmp_path: Path) -> None:
    training = a_table(tmp_path, task="regression", rows=20)
    matrix, target = next(training.rows.batches())
    with pytest.raises(InputError, match="far within float32") as caught:
        Network().fit(a_training(tmp_path, training.transform, matrix, target * 1e34))
    assert caught.value.place == "spec.data.target"


def test_a_monotone_feature_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no monotone feature") as caught:
        Network().fit(replace(a_table(tmp_path, rows=20), monotone={"x": 1}))
    assert caught.value.place == "feature x"


@pytest.mark.parametrize("name", ["torch", "onnxscript"])
def test_a_missing_package_is_named(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(EnvironmentFault, match=f"the trainer torch needs {name}") as caught:
        Network().fit(a_table(tmp_path, rows=20))
    assert "pip install torch==2.13.0 onnxscript" in caught.value.fix


def test_a_gpu_that_torch_does_not_find_is_said(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(EnvironmentFault, match="expected torch to find a GPU"):
        Network().fit(replace(a_table(tmp_path, rows=20), device="cuda"))


def test_a_search_is_offered_known_parameters() -> None:
    asked = {"hidden": 64, "layers": 2, "dropout": 0.2, "learning_rate": 0.001, "weight_decay": 0.01}
    found = Network().space(optuna.trial.FixedTrial(asked))
    assert found == asked
    settings_of(found, is_text=False, rows=100)


def test_the_export_needs_a_fit() -> None:
    with pytest.raises(RuntimeError, match="fit comes before"):
        Network().to_onnx()
