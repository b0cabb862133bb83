# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from components.train.boosting import Boosting
from components.train.boosting_onnx import check_export, export_onnx
from kelp.errors import InputError, IntegrityError
from kelp.trainer import Trainer
from tests.unit.components.train.matrices import a_training


def test_it_is_a_trainer_that_cannot_export_before_it_is_fitted() -> None:
    trainer = Boosting()
    assert isinstance(trainer, Trainer)
    with pytest.raises(InputError, match="expected a trainer that was fitted"):
        trainer.to_onnx()


def test_batches_and_one_matrix_give_the_same_trees(tmp_path: Path) -> None:
    training = a_training(tmp_path, count=70_000)  # two batches
    trainer = Boosting()
    facts = trainer.fit(training)
    parts = list(training.rows.batches(100_000))
    assert len(parts) == 1
    matrix = xgboost.QuantileDMatrix(parts[0][0], parts[0][1])
    by_hand = xgboost.train(dict(facts["params"]), matrix, 10)
    expected = by_hand.inplace_predict(parts[0][0])
    assert np.abs(trainer.booster.inplace_predict(parts[0][0]) - expected).max() < 0.02  # the bins differ a little


def test_early_stopping_keeps_the_best_round_and_no_trace_of_the_others(tmp_path: Path) -> None:
    training = a_training(tmp_path, params={"rounds": 300, "eta": 0.5})
    parts = {part: replace(training.rows, kept_back=part) for part in (False, True)}
    watched = replace(training, rows=parts[False], validation=parts[True])
    stopped, short = Boosting(), Boosting()
    facts = stopped.fit(replace(watched, early_stopping=5))
    shorter = short.fit(replace(watched, params={"rounds": facts["rounds"], "eta": 0.5}))
    assert 1 <= facts["rounds"] < 300
    assert facts["validation"] == shorter["validation"]
    assert stopped.files() == short.files()
    assert stopped.to_onnx() == short.to_onnx()
    longer = Boosting().fit(replace(watched, params={"rounds": facts["rounds"] + 5, "eta": 0.5}))
    assert longer["validation"] > facts["validation"]


def test_a_weight_lifts_its_class(tmp_path: Path) -> None:
    training = a_training(tmp_path)
    matrix, _ = next(training.rows.batches())
    means = []
    for weights in ((), (1.0, 1.0), (1.0, 5.0)):
        trainer = Boosting()
        trainer.fit(replace(training, class_weights=weights))
        means.append(float(trainer.booster.inplace_predict(matrix).mean()))
    assert means[0] == pytest.approx(means[1], abs=1e-6)
    assert means[2] > means[0] + 0.05


@pytest.mark.parametrize("sign", [1, -1])
def test_a_monotone_feature_moves_the_score_one_way(tmp_path: Path, sign: Any) -> None:
    trainer = Boosting()
    trainer.fit(a_training(tmp_path, params={"rounds": 40}, monotone={"feature 0": sign}))
    rows = np.zeros((200, 4), dtype=np.float32)
    rows[:, 0] = np.linspace(-3, 3, 200)
    scores = trainer.booster.inplace_predict(rows)
    assert (np.diff(scores) * sign >= 0).all()
    assert (np.ptp(scores) > 0.1) == (sign == 1)


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"num_parallel_tree": 3, "colsample_bynode": 0.5}, id="forests"),
        pytest.param({"grow_policy": "lossguide", "max_leaves": 15, "max_depth": 0}, id="leaf-wise"),
        pytest.param({"base_score": 0.2, "scale_pos_weight": 4}, id="weights"),
        pytest.param({"rounds": 1, "max_depth": 1}, id="one-stump"),
        pytest.param({"rounds": 3, "gamma": 1e9}, id="trees-without-a-split"),
    ],
)
def test_what_training_takes_can_be_exported(tmp_path: Path, params: dict[str, Any]) -> None:
    trainer = Boosting()
    trainer.fit(a_training(tmp_path, params={"rounds": 10, **params}))
    assert trainer.to_onnx()


def test_an_export_that_answers_otherwise_is_refused(tmp_path: Path) -> None:
    training = a_training(tmp_path)
    trainer, other = Boosting(), Boosting()
    trainer.fit(training)
    other.fit(replace(training, params={"rounds": 3}))
    content = export_onnx(other.booster, training.transform)
    with pytest.raises(IntegrityError, match="to answer as the trained one within 1e-05"):
        check_export(content, trainer.booster, training.transform, training.rows)
