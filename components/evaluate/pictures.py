# SPDX-License-Identifier: Apache-2.0
"""What is drawn: ROC and precision-recall curves, calibration bins, the confusion matrix. Pure, JSON-ready values."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.evaluate.intervals import clopper_pearson
from components.evaluate.metrics import BINS, FloatArray, bin_of, flagged

POINTS = 200


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a curve with finite thresholds, at most 200, first and last kept."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    thresholds: tuple[float, ...]


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


def confusion(target: FloatArray, score: FloatArray, classes: int) -> npt.NDArray[np.int64]:
    """Return counts, shape (classes, classes): rows are true, columns labelled; a binary label is score >= 0.5."""
    label = score.argmax(axis=1) if score.ndim == 2 else flagged(score).astype(np.intp)
    cells = target.astype(np.intp) * classes + label
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


@dataclass(frozen=True, slots=True)
class ErrorBin:
    """One tenth of a regression's rows, by prediction: mean prediction, mean value, and rows."""

    predicted: float
    observed: float
    rows: int


def tenths(target: FloatArray, score: FloatArray) -> tuple[ErrorBin, ...]:
    """Return predicted against observed means in ten groups of rows, ordered by prediction; fewer for few rows."""
    parts = np.array_split(np.argsort(score, kind="stable"), BINS)
    return tuple(
        ErrorBin(float(score[part].mean()), float(target[part].mean()), len(part)) for part in parts if len(part)
    )
