# SPDX-License-Identifier: Apache-2.0
import numpy as np
import numpy.typing as npt
import pytest
from sklearn import metrics as oracle
from sklearn.calibration import calibration_curve

from components.evaluate.pictures.binary import (
    POINTS,
    Curve,
    calibration,
    cost_curve,
    costs_at,
    dummy_costs,
    precision_recall,
    roc,
)

Floats = npt.NDArray[np.float64]


def scored(rows: int, *, has_ties: bool = False) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(rows)
    target = (rng.random(rows) < 0.3).astype(np.float64)
    target[:2] = (0, 1)
    score = 1 / (1 + np.exp(-rng.normal(size=rows) - target))
    return target, np.round(score, 1) if has_ties else score


@pytest.mark.parametrize("has_ties", [pytest.param(False, id="distinct"), pytest.param(True, id="ties")])
def test_short_curves_have_every_point_that_scikit_learn_has(has_ties: bool) -> None:
    target, score = scored(90, has_ties=has_ties)
    fpr, tpr, thresholds = oracle.roc_curve(target, score, drop_intermediate=False)
    found = roc(target, score)
    assert found.x == pytest.approx(fpr)
    assert found.y == pytest.approx(tpr)
    assert found.thresholds[1:] == pytest.approx(thresholds[1:])
    precision, recall, _ = oracle.precision_recall_curve(target, score)
    curve = precision_recall(target, score)
    assert curve.y == pytest.approx(precision[:-1][::-1])
    assert curve.x == pytest.approx(recall[:-1][::-1])


def area(curve: Curve) -> float:
    return float(np.trapezoid(curve.y, curve.x))


def test_long_curves_are_thinned_and_keep_their_ends_and_their_area() -> None:
    target, score = scored(5_000)
    found = roc(target, score)
    assert len(found.x) <= POINTS
    assert (found.x[0], found.y[0], found.x[-1], found.y[-1]) == (0, 0, 1, 1)
    assert area(found) == pytest.approx(oracle.roc_auc_score(target, score), abs=0.005)
    assert len(precision_recall(target, score).x) <= POINTS


def test_thresholds_are_finite_and_never_rise() -> None:
    thresholds = np.array(roc(*scored(2_000)).thresholds)
    assert np.isfinite(thresholds).all()
    assert (np.diff(thresholds) <= 0).all()


def test_calibration_bins_equal_scikit_learn() -> None:
    target, score = scored(800)
    observed, predicted = calibration_curve(target, score, n_bins=10, strategy="uniform")
    found = calibration(target, score, 0.95)
    assert [b.observed for b in found] == pytest.approx(observed)
    assert [b.predicted for b in found] == pytest.approx(predicted)
    assert sum(b.rows for b in found) == 800
    assert all(b.low <= b.observed <= b.high for b in found)


@pytest.mark.slow
def test_curves_of_ten_million_rows_are_as_short() -> None:
    target, score = scored(10_000_000)
    for curve in (roc(target, score), precision_recall(target, score)):
        assert len(curve.x) == len(curve.y) == len(curve.thresholds) <= POINTS
    assert len(cost_curve(target, score).x) < POINTS


@pytest.mark.parametrize("has_ties", [pytest.param(False, id="distinct"), pytest.param(True, id="ties")])
def test_the_cost_curve_is_the_cheapest_of_all_thresholds(has_ties: bool) -> None:
    target, score = scored(300, has_ties=has_ties)
    fpr, tpr, _ = oracle.roc_curve(target, score, drop_intermediate=False)
    found = cost_curve(target, score)
    expected = [min(share * (1 - tpr) + (1 - share) * fpr) for share in found.x]
    assert found.y == pytest.approx(expected)
    assert (found.y[0], found.y[-1]) == (0.0, 0.0)


def test_no_model_costs_more_than_flagging_nothing_or_everything() -> None:
    target, score = scored(300)
    found, dummy = cost_curve(target, 1 - score), dummy_costs()
    assert all(cost <= np.interp(share, dummy.x, dummy.y) + 1e-12 for share, cost in zip(found.x, found.y, strict=True))


def test_the_costs_of_fixed_labels_run_from_false_positives_to_misses() -> None:
    target = np.array([1.0, 1, 1, 1, 0, 0])
    assert costs_at(target, np.array([1.0, 1, 1, 0, 1, 0])).y == (0.5, 0.25)
