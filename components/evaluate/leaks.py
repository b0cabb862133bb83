# SPDX-License-Identifier: Apache-2.0
"""Warnings that the evaluation may be too good to be true: a feature that gives the target away, a perfect model.

A leak is a column that is only known once the target is (Kaufman et al., ACM TKDD 2012). It is searched for as a
one-feature model: the class shares or the mean of each bin or category of the training part, or simply the value
itself, judged on the test part. Nothing here changes a result. Pure; the step calls it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from components.evaluate.intervals import MIN_SUPPORT, Estimate
from components.evaluate.truth import FloatArray, Positions
from kelp.frame.transform import Feature, Transform

PERFECT = 0.999
NEARLY = 0.99
MOST_ROWS = 50_000
MOST_BINS = 64
MOST_WARNINGS = 10
_SKIPPED = ("token", "word")  # one word is no column, and there are hundreds


@dataclass(frozen=True, slots=True)
class Rows:
    """Features of some rows, float32 (n_rows, n_features), and their targets; forecasts: their series as well."""

    features: npt.NDArray[np.float32]
    target: FloatArray
    series: Positions | None = None

    def spread(self) -> Self:
        """Return at most 50,000 rows, evenly spread."""
        chosen = np.unique(np.linspace(0, len(self.target) - 1, min(MOST_ROWS, len(self.target))).astype(np.intp))
        series = None if self.series is None else self.series[chosen]
        return replace(self, features=self.features[chosen], target=self.target[chosen], series=series)


def leak_warnings(transform: Transform, target: str, train: Rows, test: Rows) -> list[str]:
    """Return a text for each column that alone predicts the target almost perfectly.

    Args:
        transform: names the features and the columns they are made of.
        target: name of the target.
        train: of the training part.
        test: of the test part.
    """
    train, test, found = train.spread(), test.spread(), dict[str, str]()
    windows = {window.name for window in transform.windows}
    for position, feature in enumerate(transform.features):
        if feature.kind in _SKIPPED or feature.column in found:
            continue
        one = [Rows(part.features[:, [position]], part.target, part.series) for part in (train, test)]
        if transform.task == "forecast":  # windows hold the target's past, which is known
            evidence = None if feature.column in windows or feature.kind != "number" else _within_series(one[1])
        elif transform.classes:
            evidence = _of_classes(feature, one[0], one[1], len(transform.classes))
        else:
            evidence = _of_values(feature, one[0], one[1])
        if evidence is not None:
            found[feature.column] = (
                f"column {feature.column} alone predicts {target} almost perfectly ({evidence}): "
                "is it known when a request is sent?"
            )
    return list(found.values())[:MOST_WARNINGS]


def _of_classes(feature: Feature, train: Rows, test: Rows, classes: int) -> str | None:
    """Every class, against the rest, has to be separated: one species that stands apart is no leak."""
    counts = np.bincount(test.target.astype(np.intp), minlength=classes)
    judged = [position for position in range(classes) if counts[position] >= MIN_SUPPORT]
    if len(judged) < 2:
        return None
    bins, of_train, of_test = _binned(feature, train, test)
    smallest = 1.0
    for position in judged:
        is_mine = (train.target == position).astype(np.float64)
        scores: list[npt.NDArray[Any]] = [_means(of_train, is_mine, bins)[of_test]]
        if feature.kind != "category":
            scores += [test.features[:, 0], -test.features[:, 0]]
        smallest = min(smallest, max(_auc(test.target == position, score) for score in scores))
        if smallest < PERFECT:
            return None
    return f"AUC {smallest:.3f}" if classes == 2 else f"AUC {smallest:.3f} of each class against the rest"


def _of_values(feature: Feature, train: Rows, test: Rows) -> str | None:
    if len(test.target) < 3 * MIN_SUPPORT or test.target.var() == 0:
        return None
    bins, of_train, of_test = _binned(feature, train, test)
    error = test.target - _means(of_train, train.target, bins)[of_test]
    explained = 1 - float((error**2).sum() / ((test.target - test.target.mean()) ** 2).sum())
    if explained >= PERFECT:
        return f"R2 {explained:.3f}"
    if feature.kind == "category":
        return None
    correlation = abs(_correlation(_ranks(test.features[:, 0]), _ranks(test.target)))
    return f"rank correlation {correlation:.3f}" if correlation >= PERFECT else None


def _within_series(test: Rows) -> str | None:
    """Correlation after the mean of each series is taken off: large series are no leak."""
    if test.series is None or len(test.target) < 3 * MIN_SUPPORT:
        return None
    count = int(test.series.max()) + 1
    columns = [test.features[:, 0].astype(np.float64), test.target]
    around = [column - _means(test.series, column, count)[test.series] for column in columns]
    correlation = abs(_correlation(*around))
    return f"correlation {correlation:.3f} within the series" if correlation >= PERFECT else None


def _binned(feature: Feature, train: Rows, test: Rows) -> tuple[int, Positions, Positions]:
    """Return how many bins there are, and each row's: categories, or up to 64 ranges of numbers.

    What stands for a missing value has a bin of its own: that it is missing may be what gives the target away.
    """
    mine, theirs = train.features[:, 0], test.features[:, 0]
    if feature.kind == "category":
        return len(feature.categories) + 1, mine.astype(np.intp), theirs.astype(np.intp)
    fill = np.float32(feature.fill)
    distinct = np.unique(mine)
    edges = distinct if len(distinct) <= MOST_BINS else np.quantile(distinct, np.linspace(0, 1, MOST_BINS + 1)[1:-1])
    edges = np.unique(np.concatenate([edges, [fill, np.nextafter(fill, np.float32(np.inf))]]).astype(np.float32))
    return len(edges) + 1, np.searchsorted(edges, mine, side="right"), np.searchsorted(edges, theirs, side="right")


def _means(of_row: Positions, values: FloatArray, count: int) -> FloatArray:
    """Return the mean of each bin; that of all rows for a bin without any."""
    rows = np.bincount(of_row, minlength=count)
    return np.where(rows > 0, np.bincount(of_row, values, count) / np.maximum(rows, 1), values.mean())


def _ranks(values: npt.NDArray[Any]) -> FloatArray:
    """Return 1 for the smallest..., the mean of their places for equal values."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)


def _auc(is_positive: npt.NDArray[np.bool_], score: npt.NDArray[Any]) -> float:
    """Mann-Whitney's U over the number of pairs; ties count half."""
    positives = int(is_positive.sum())
    pairs = positives * (len(score) - positives)
    return float((_ranks(score)[is_positive].sum() - positives * (positives + 1) / 2) / pairs)


def _correlation(a: FloatArray, b: FloatArray) -> float:
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / scale) if scale > 0 else 0.0


_MAIN = {
    "binary": "roc_auc",
    "multiclass": "accuracy",
    "regression": "r2",
    "forecast": "mase",
}


def perfection_warnings(task: str, metrics: Mapping[str, Estimate]) -> Iterator[str]:
    """Yield a text if the main metric is nearly perfect, on enough rows for its bound to be so as well."""
    name = _MAIN[task]
    found = metrics[name]
    if found.value is None or found.low is None or found.high is None:
        return
    value, bound = (1 - found.value, 1 - found.high) if name == "mase" else (found.value, found.low)
    if value >= PERFECT and bound >= NEARLY:
        yield (
            f"{name} is {found.value:.4g} ({found.low:.4g} to {found.high:.4g}), which is rarely true: "
            "is a column known only afterwards, or are test rows among the training rows?"
        )
