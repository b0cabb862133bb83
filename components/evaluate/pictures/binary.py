# SPDX-License-Identifier: Apache-2.0
"""What is drawn of a binary score: ROC, precision-recall and cost curves, calibration. Pure, JSON-ready values."""

from dataclasses import dataclass

import numpy as np

from components.evaluate.intervals import clopper_pearson
from components.evaluate.metrics import BINS, bin_of
from components.evaluate.truth import FloatArray

POINTS = 200
COSTS = 51


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a curve with finite thresholds, at most 200, first and last kept."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    thresholds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """Points of a line."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """One bin of predicted probability: its mean prediction, the observed frequency with its interval, its rows."""

    predicted: float
    observed: float
    low: float
    high: float
    rows: int


def roc(target: FloatArray, score: FloatArray) -> Curve:
    """Return false positive rate (x) and true positive rate (y), from (0, 0) to (1, 1).

    Args:
        target: float64, shape (n,), 0 or 1, both present.
        score: float64, shape (n,), probabilities.
    """
    thresholds, true, false = _counts_above(target, score)
    x = np.concatenate([[0.0], false / false[-1]])
    y = np.concatenate([[0.0], true / true[-1]])
    # The first point flags nothing, so its threshold is over every score: finite here, as Kubeflow needs it.
    return _thinned(x, y, np.concatenate([[max(1.0, float(thresholds[0]))], thresholds]))


def precision_recall(target: FloatArray, score: FloatArray) -> Curve:
    """Return recall (x) and precision (y) from the strictest threshold to the laxest; inputs as for `roc`."""
    thresholds, true, false = _counts_above(target, score)
    return _thinned(true / true[-1], true / (true + false), thresholds)


def _counts_above(target: FloatArray, score: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the distinct scores, falling, and the positives and negatives at or above each."""
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    true = np.cumsum(target[order])[last]
    return ranked[last], true, last + 1.0 - true


def _thinned(x: FloatArray, y: FloatArray, thresholds: FloatArray) -> Curve:
    """Keep points evenly along the curve's length, so that steep parts keep their shape."""
    keep = np.arange(len(x))
    if len(x) > POINTS:
        length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
        keep = np.unique(np.searchsorted(length, np.linspace(0.0, length[-1], POINTS)))
    return Curve(*(tuple(values[keep].tolist()) for values in (x, y, thresholds)))


def calibration(target: FloatArray, score: FloatArray, confidence: float) -> tuple[CalibrationBin, ...]:
    """Return the non-empty ones of ten bins of equal width; inputs as for `roc`."""
    bins, found = bin_of(score), []
    for position in range(BINS):
        inside = bins == position
        rows, hits = int(inside.sum()), int(target[inside].sum())
        if rows:
            low, high = clopper_pearson(hits, rows, confidence)
            found.append(CalibrationBin(float(score[inside].mean()), hits / rows, low, high, rows))
    return tuple(found)


def cost_curve(target: FloatArray, score: FloatArray) -> Line:
    """Return the least normalised expected cost (y) at each probability cost (x), each at its own best threshold.

    The probability cost is the share that missed positives would have in the cost of getting every row wrong; the
    normalised cost is the expected cost over that of getting every row wrong (Drummond & Holte, Machine Learning 2006).
    Thresholds are chosen on these very rows, so the curve is a little too good. Inputs as for `roc`.
    """
    _, true, false = _counts_above(target, score)
    true, false = np.concatenate([[0.0], true]), np.concatenate([[0.0], false])
    # Only a threshold whose next rows are negative can be the best one.
    is_corner = np.append(np.diff(false) > 0, True)
    missed, flagged = 1 - true[is_corner] / true[-1], false[is_corner] / false[-1]
    shares = np.linspace(0.0, 1.0, COSTS)
    costs = [float((share * missed + (1 - share) * flagged).min()) for share in shares]
    return Line(tuple(shares.tolist()), tuple(costs))


def dummy_costs() -> Line:
    """Return the cost curve of flagging nothing or everything, whichever is cheaper."""
    return Line((0.0, 0.5, 1.0), (0.0, 0.5, 0.0))


def costs_at(target: FloatArray, flags: FloatArray) -> Line:
    """Return the normalised expected cost of fixed labels: a straight line, from false positive to miss rate."""
    misses, alarms = (1 - flags)[target == 1].mean(), flags[target == 0].mean()
    return Line((0.0, 1.0), (float(alarms), float(misses)))
