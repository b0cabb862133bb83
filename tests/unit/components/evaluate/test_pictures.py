# SPDX-License-Identifier: Apache-2.0
import numpy as np
import numpy.typing as npt
import pytest
from sklearn import metrics as oracle
from sklearn.calibration import calibration_curve

from components.evaluate.pictures import POINTS, Curve, calibration, confusion, precision_recall, roc, tenths

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


def test_confusion_counts_equal_scikit_learn_and_keep_absent_classes() -> None:
    target, score = scored(300)
    np.testing.assert_array_equal(confusion(target, score, 2), oracle.confusion_matrix(target, score >= 0.5))
    several = np.random.default_rng(0).random((50, 4))
    labels = np.zeros(50)
    expected = oracle.confusion_matrix(labels, several.argmax(axis=1), labels=range(4))
    np.testing.assert_array_equal(confusion(labels, several, 4), expected)


@pytest.mark.parametrize(("rows", "parts"), [pytest.param(3, 3, id="few"), pytest.param(105, 10, id="many")])
def test_tenths_cover_every_row_in_order_of_prediction(rows: int, parts: int) -> None:
    score = np.random.default_rng(1).normal(size=rows)
    found = tenths(score * 2, score)
    assert len(found) == parts
    assert sum(part.rows for part in found) == rows
    assert [part.observed for part in found] == pytest.approx([2 * part.predicted for part in found])
    assert sorted(part.predicted for part in found) == [part.predicted for part in found]
