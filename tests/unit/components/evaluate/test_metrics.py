# SPDX-License-Identifier: Apache-2.0
import numpy as np
import numpy.typing as npt
import pytest
from sklearn import metrics as oracle

from components.evaluate.metrics import FAMILIES, bin_of, names_of, statistic_of, values_of
from components.evaluate.truth import Truth
from kelp.spec.metrics import METRICS, metrics_of

Floats = npt.NDArray[np.float64]


def binary(rows: int, seed: int, *, has_ties: bool = False) -> tuple[Floats, Floats, Floats]:
    """Target, score and integer weights such as a resample has."""
    rng = np.random.default_rng(seed)
    target = (rng.random(rows) < 0.3).astype(np.float64)
    target[:2] = (0, 1)
    score = 1 / (1 + np.exp(-(rng.normal(size=rows) + target - 0.5)))
    weights = rng.integers(0, 4, rows).astype(np.float64)
    weights[:2] = 1
    return target, np.round(score, 1) if has_ties else score, weights


@pytest.mark.parametrize("task", [pytest.param(task, id=task) for task in FAMILIES])
def test_the_spec_and_the_code_name_the_same_metrics(task: str) -> None:
    assert sorted(names_of(task)) == sorted(metrics_of(task))


def test_every_metric_of_the_spec_has_a_task_that_computes_it() -> None:
    assert {name for task in FAMILIES for name in names_of(task)} == set(METRICS)
    assert metrics_of("text") == metrics_of("multiclass")


@pytest.mark.parametrize("seed", [pytest.param(seed, id=f"seed-{seed}") for seed in range(5)])
@pytest.mark.parametrize("has_ties", [pytest.param(False, id="distinct"), pytest.param(True, id="ties")])
@pytest.mark.parametrize("rows", [pytest.param(7, id="few-rows"), pytest.param(400, id="many-rows")])
def test_binary_metrics_equal_scikit_learn_under_weights(seed: int, has_ties: bool, rows: int) -> None:
    target, score, weights = binary(rows, seed, has_ties=has_ties)
    label = (score >= 0.5).astype(np.float64)
    found = dict(
        zip(names_of("binary", "row"), statistic_of(Truth("binary", target), score)(weights[None, :])[0], strict=True)
    )
    tn, fp, _, _ = oracle.confusion_matrix(target, label, labels=[0, 1], sample_weight=weights).ravel()
    flagged = float(weights @ label)
    expected = {
        "roc_auc": oracle.roc_auc_score(target, score, sample_weight=weights),
        "pr_auc": oracle.average_precision_score(target, score, sample_weight=weights),
        "log_loss": oracle.log_loss(target, score, sample_weight=weights),
        "brier": oracle.brier_score_loss(target, score, sample_weight=weights),
        "accuracy": oracle.accuracy_score(target, label, sample_weight=weights),
        "recall": oracle.recall_score(target, label, sample_weight=weights),
        "f1": oracle.f1_score(target, label, sample_weight=weights),
        "false_positive_rate": fp / (fp + tn) if fp + tn else np.nan,
        "selection_rate": flagged / weights.sum(),
        "precision": oracle.precision_score(target, label, sample_weight=weights, zero_division=np.nan),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-12, nan_ok=True), name


def test_calibration_error_equals_its_definition() -> None:
    target, score, _ = binary(500, 3)
    score[:3] = (0.0, 1.0, 0.1)
    bins = [np.flatnonzero(bin_of(score) == position) for position in range(10)]
    expected = sum(abs(score[rows].mean() - target[rows].mean()) * len(rows) / 500 for rows in bins if len(rows))
    assert values_of(Truth("binary", target), score)["ece"] == pytest.approx(expected, abs=1e-12)


def test_a_statistic_of_many_weightings_gives_each_alone() -> None:
    target, score, _ = binary(60, 1, has_ties=True)
    weights = np.random.default_rng(2).integers(0, 3, (9, 60)).astype(np.float64)
    statistic = statistic_of(Truth("binary", target), score)
    each = np.concatenate([statistic(row[None, :]) for row in weights])
    np.testing.assert_allclose(statistic(weights), each, atol=1e-12)


def test_without_positive_rows_ranking_and_recall_are_undefined() -> None:
    target, score, weights = binary(50, 4)
    weights = np.where(target == 1, 0.0, weights)
    found = dict(
        zip(names_of("binary", "row"), statistic_of(Truth("binary", target), score)(weights[None, :])[0], strict=True)
    )
    assert all(np.isnan(found[name]) for name in ("roc_auc", "pr_auc", "recall"))
    assert np.isfinite(found["accuracy"])


def test_certainty_that_is_wrong_has_a_finite_loss() -> None:
    found = values_of(Truth("binary", np.array([1.0, 0.0])), np.array([0.0, 1.0]))
    assert 30 < found["log_loss"] < 40


@pytest.mark.parametrize("seed", [pytest.param(seed, id=f"seed-{seed}") for seed in range(3)])
def test_multiclass_metrics_equal_scikit_learn_under_weights(seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 4, 300).astype(np.float64)
    score = rng.random((300, 4)) + np.eye(4)[target.astype(int)]
    score /= score.sum(axis=1, keepdims=True)
    weights = rng.integers(0, 4, 300).astype(np.float64)
    label = score.argmax(axis=1)
    found = dict(
        zip(names_of("multiclass"), statistic_of(Truth("multiclass", target), score)(weights[None])[0], strict=True)
    )
    assert found["accuracy"] == pytest.approx(oracle.accuracy_score(target, label, sample_weight=weights))
    assert found["macro_f1"] == pytest.approx(oracle.f1_score(target, label, average="macro", sample_weight=weights))
    assert found["log_loss"] == pytest.approx(oracle.log_loss(target, score, sample_weight=weights))


@pytest.mark.parametrize("shift", [pytest.param(0.0, id="centred"), pytest.param(1e6, id="far-from-zero")])
def test_regression_metrics_equal_scikit_learn_under_weights(shift: float) -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(size=200) + shift
    score = target + rng.normal(size=200) / 2
    weights = rng.integers(0, 4, 200).astype(np.float64)
    found = dict(
        zip(names_of("regression"), statistic_of(Truth("regression", target), score)(weights[None])[0], strict=True)
    )
    assert found["rmse"] == pytest.approx(oracle.root_mean_squared_error(target, score, sample_weight=weights))
    assert found["mae"] == pytest.approx(oracle.mean_absolute_error(target, score, sample_weight=weights))
    assert found["r2"] == pytest.approx(oracle.r2_score(target, score, sample_weight=weights))


def test_r2_of_a_constant_target_is_undefined() -> None:
    assert np.isnan(values_of(Truth("regression", np.full(5, 2.0)), np.full(5, 2.0))["r2"])
