# SPDX-License-Identifier: Apache-2.0
"""Confidence intervals: how far a metric, or the difference of two models in it, could be off by luck.

Proportions (recall, accuracy...) get the exact Clopper-Pearson interval. All else is bootstrapped, two models always on
the same resamples: bias-corrected percentiles (Efron, JASA 1987, with no acceleration), and for the calibration error,
which noise pushes up, the basic interval with a lower bound twice as far away. A sample that leaves a bootstrap no
spread (every row right) gets the bound that zero failures in n rows allow, never a width of zero.

Intervals are two-sided: at 95 % each bound alone should be wrong in 2.5 % of samples. Clopper-Pearson keeps to that.
Bootstrapped bounds were wrong in 2.0 to 4.4 % of simulated samples with 90 positives, in 2.3 to 5.2 % with 60. What
`components.evaluate.resampling` draws in whole series or stretches of time has its own figures there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.evaluate.metrics import LABEL_METRICS
from components.evaluate.truth import FloatArray, Statistic
from kelp.spec.metrics import MetricInfo

Bounds = tuple[float, float]

RESAMPLES = 1000
SAMPLE = 50_000
SCARCE = 200
MIN_SUPPORT = 10
UNITS = {"ndcg_at_10": "entities"}  # what a metric's support counts, where that is not rows
_CHUNK = 800_000
_DEFINED = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval, or the reason why there is none.

    Attributes:
        value: the estimate on all rows; None where it is undefined.
        low: lower bound; None if `reason` says why.
        high: upper bound; None exactly when `low` is.
        support: how many rows it rests on (a proportion's denominator; the scarcest class; else all rows).
        reason: why value or interval are missing; empty otherwise.
        is_proportion: whether value * support is a count out of `support`.
        unit: what `support` counts.
    """

    value: float | None
    low: float | None
    high: float | None
    support: int
    reason: str = ""
    is_proportion: bool = False
    unit: str = "rows"

    @property
    def is_bounded(self) -> bool:
        """Whether there is an interval to decide on."""
        return self.low is not None


def clopper_pearson(hits: int, rows: int, confidence: float) -> Bounds:
    """Return the exact two-sided interval of a proportion (Clopper & Pearson, Biometrika 1934); rows >= 1."""
    from scipy.stats import beta

    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, hits, rows - hits + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, rows - hits)) if hits < rows else 1.0
    return low, high


def zero_failures(rows: int, confidence: float) -> float:
    """Return the largest failure share that still shows no failure in `rows` rows with chance (1-confidence)/2."""
    return float(1 - ((1 - confidence) / 2) ** (1 / max(rows, 1)))


def sample_rows(rows: int, scarce: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return the rows that resamples are drawn from: all up to 50,000, above that a random part of them.

    The part is larger where fewer than 200 rows of the scarcest class would be expected in it.
    """
    size = min(rows, max(SAMPLE, -(-SCARCE * rows // max(scarce, 1))))
    return np.arange(rows) if size == rows else np.sort(rng.choice(rows, size, replace=False))


def bootstrap(
    statistics: Sequence[Statistic], size: int, rows: int, rng: np.random.Generator, *, resamples: int = RESAMPLES
) -> list[FloatArray]:
    """Return each statistic's deviations from its value on the rows as they are, all on the same resamples.

    Where the statistics see only `size` of `rows` rows, deviations are shrunk by sqrt(size / rows), as those of a mean
    would be (Bickel, Goetze & van Zwet, Statistica Sinica 1997).

    Args:
        statistics: functions from weights (n_draws, size) to values (n_draws, n_metrics).
        size: rows that the statistics see, at least 1.
        rows: rows that the estimates rest on, at least `size`.
        rng: consumed; the same state gives the same draws.
        resamples: draws.

    Returns:
        For each statistic float64, shape (resamples, n_metrics); NaN where a draw left it undefined.
    """
    centres = [statistic(np.ones((1, size))) for statistic in statistics]
    parts: list[list[FloatArray]] = [[] for _ in statistics]
    chunk = max(1, _CHUNK // size)
    for start in range(0, resamples, chunk):
        weights = np.empty((min(chunk, resamples - start), size))
        for draw in weights:
            draw[:] = np.bincount(rng.integers(0, size, size, dtype=np.uint32), minlength=size)
        for part, statistic in zip(parts, statistics, strict=True):
            part.append(statistic(weights))
    shrink = np.sqrt(size / rows)
    return [shrink * (np.concatenate(part) - centre) for part, centre in zip(parts, centres, strict=True)]


def interval(deviations: FloatArray, value: float, confidence: float, *, is_basic: bool = False) -> Bounds | None:
    """Return the bounds a bootstrap gives.

    Args:
        deviations: float64, shape (resamples,), from `bootstrap`; NaN where undefined.
        value: the estimate on all rows.
        confidence: two-sided, in (0, 1).
        is_basic: reflect the draws around the value instead of correcting their bias, and reach down twice as far:
            for a sum of absolute values, which noise can only raise.

    Returns:
        (low, high); None if over 5 % of the draws are undefined.
    """
    from scipy.special import ndtr, ndtri

    defined = deviations[np.isfinite(deviations)]
    if len(defined) < _DEFINED * len(deviations):
        return None
    tail = (1 - confidence) / 2
    if is_basic:
        low, high = np.quantile(defined, [tail, 1 - tail])
        return float(value - 2 * high), float(value - low)
    below = float((defined < 0).mean() + (defined == 0).mean() / 2)
    shift = 2 * float(ndtri(min(max(below, 0.01), 0.99)))
    low, high = np.quantile(defined, [ndtr(shift + ndtri(tail)), ndtr(shift + ndtri(1 - tail))])
    return float(value + low), float(value + high)


def count_estimate(value: float, support: int, confidence: float) -> Estimate:
    """Return the estimate of a proportion of `support` rows; undefined for no rows."""
    if support == 0:
        return Estimate(None, None, None, 0, "no row to count it on")
    low, high = clopper_pearson(round(value * support), support, confidence)
    return Estimate(value, low, high, support, is_proportion=True)


def metric_estimate(
    info: MetricInfo, value: float, deviations: FloatArray, support: int, confidence: float
) -> Estimate:
    """Return the estimate of a metric from its bootstrap deviations, clipped to the metric's range."""
    lowest, highest = info.range
    unit = UNITS.get(info.name, "rows")
    if _has_no_spread(deviations) and value not in info.range and unit == "rows":
        return Estimate(value, value, value, support, unit=unit)  # a constant score: its AUC is 0.5 on any rows
    bounds = _bounds(info, value, deviations, support, confidence)
    if isinstance(bounds, str):
        return unbounded_estimate(info, value, support, bounds)
    low = bounds[0] if lowest is None else min(max(bounds[0], lowest), value)
    high = bounds[1] if highest is None else max(min(bounds[1], highest), value)
    return Estimate(value, low, high, support, unit=unit)


def unbounded_estimate(info: MetricInfo, value: float, support: int, reason: str) -> Estimate:
    """Return a value without an interval, and why; no value either if it is NaN."""
    return Estimate(None if np.isnan(value) else value, None, None, support, reason, unit=UNITS.get(info.name, "rows"))


def difference_estimate(
    info: MetricInfo, value: float, deviations: FloatArray, support: int, confidence: float, *, is_same: bool
) -> Estimate:
    """Return the estimate of a paired difference in a metric.

    Equal scores differ by exactly zero. Labels that happen to agree on every row do not show that two models are one:
    differences in metrics of labels are given at least the width that zero disagreements in `support` rows allow.
    Differences in the calibration error keep its far lower bound, which makes them hard to pass.
    """
    if is_same and not np.isnan(value):
        return Estimate(0.0, 0.0, 0.0, support, unit=UNITS.get(info.name, "rows"))
    bounds = _bounds(info, value, deviations, support, confidence)
    if isinstance(bounds, str):
        return unbounded_estimate(info, value, support, bounds)
    floor = zero_failures(support, confidence) if info.name in LABEL_METRICS else 0.0
    low, high = min(bounds[0], value - floor), max(bounds[1], value + floor)
    return Estimate(value, low, high, support, unit=UNITS.get(info.name, "rows"))


def _bounds(info: MetricInfo, value: float, deviations: FloatArray, support: int, confidence: float) -> Bounds | str:
    """Return the bounds, or the reason why there are none."""
    if np.isnan(value):
        return "undefined on these rows"
    if support < MIN_SUPPORT:
        return f"{support} {UNITS.get(info.name, 'rows')} to judge it on, at least {MIN_SUPPORT} are needed"
    found = interval(deviations, value, confidence, is_basic=info.name == "ece")
    if found is None:
        return "undefined in over 5 % of the resamples"
    if not _has_no_spread(deviations):
        return found
    if None in info.range:
        return "every resample gave the same value"
    width = zero_failures(support, confidence)
    return value - width, value + width


def _has_no_spread(deviations: FloatArray) -> bool:
    defined = deviations[np.isfinite(deviations)]
    return len(defined) > 0 and bool((np.abs(defined) < 1e-12).all())
