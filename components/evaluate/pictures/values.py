# SPDX-License-Identifier: Apache-2.0
"""What is drawn of predicted values: predicted and observed, errors, and how wide a band holds most of them. Pure."""

from dataclasses import dataclass
from math import floor

import numpy as np

from components.evaluate.intervals import Estimate, count_estimate
from components.evaluate.metrics import BINS
from components.evaluate.truth import FloatArray

POINTS = 300
BARS = 24
LEVEL = 0.9
MIN_BAND = 40


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


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of errors (value minus prediction) between `edges`; what lies beyond the outer edges is counted apart."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    below: int
    above: int


def histogram(target: FloatArray, score: FloatArray) -> Histogram:
    """Return the errors in bars of equal width over their middle 99 %, so that outliers leave the rest readable."""
    errors = target - score
    low, high = np.quantile(errors, [0.005, 0.995])
    if low == high:
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(errors, BARS, (low, high))
    return Histogram(
        tuple(edges.tolist()), tuple(counts.tolist()), int((errors < low).sum()), int((errors > high).sum())
    )


@dataclass(frozen=True, slots=True)
class Points:
    """Predicted and observed values of some rows."""

    predicted: tuple[float, ...]
    observed: tuple[float, ...]


def points(target: FloatArray, score: FloatArray) -> Points:
    """Return at most 300 rows, evenly spread over the rows in order of their prediction."""
    order = np.argsort(score, kind="stable")
    chosen = order[np.unique(np.linspace(0, len(order) - 1, min(POINTS, len(order))).round().astype(np.intp))]
    return Points(tuple(score[chosen].tolist()), tuple(target[chosen].tolist()))


@dataclass(frozen=True, slots=True)
class Band:
    """A band around a prediction, and how much of the rows that it was not fitted to it holds.

    Attributes:
        low: from the prediction down (negative, as a rule) in the target's unit; up to `high`.
        high: see `low`.
        level: the share of rows that it is to hold.
        fitted: on how many rows `low` and `high` were chosen.
        coverage: the share of the other rows inside.
    """

    low: float
    high: float
    level: float
    fitted: int
    coverage: Estimate


def band(target: FloatArray, score: FloatArray, confidence: float, rng: np.random.Generator) -> Band | None:
    """Return the 90 % band of errors by split conformal prediction (Lei et al., JASA 2018, with both tails apart).

    A random half of the rows gives the band, the other half its coverage. A new row that comes from where these rows
    come from has its value inside with a chance of 90 % or more. None for fewer than 40 rows.
    """
    if len(target) < MIN_BAND:
        return None
    order = rng.permutation(len(target))
    fitted, checked = np.array_split(target[order] - score[order], 2)
    ordered = np.sort(fitted)
    rank = floor((len(ordered) + 1) * (1 - LEVEL) / 2)
    low, high = float(ordered[rank - 1]), float(ordered[-rank])
    inside = int(((checked >= low) & (checked <= high)).sum())
    coverage = count_estimate(inside / len(checked), len(checked), confidence)
    return Band(low, high, LEVEL, len(ordered), coverage)
