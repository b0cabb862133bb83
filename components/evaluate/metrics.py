# SPDX-License-Identifier: Apache-2.0
"""The metrics of `kelp.spec.metrics`, computed for many weightings of the same rows at once.

A bootstrap asks for one metric under a thousand weightings of the rows. So a metric is written in two moves:
`prepare(target, score)` does what depends on the rows alone (sorting, losses), and gives a function from weights,
shape (n_draws, n_rows), to values. Metrics that share the first move form a `Family`. Undefined values (no positive
row, nothing flagged) are NaN here; `components.evaluate.intervals` turns NaN into a stated reason.

Scores: binary float64 (n,), the probability of the positive class; multiclass float64 (n, n_classes); regression
float64 (n,). Targets: class index, or the value.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Statistic = Callable[[FloatArray], FloatArray]
"""Weights (n_draws, n_rows), each row with a positive sum, to values (n_draws, n_names)."""

THRESHOLD = 0.5
BINS = 10


@dataclass(frozen=True, slots=True)
class Family:
    """Metrics that share their preparation.

    Attributes:
        names: the metrics, in the order of the statistic's columns.
        prepare: (target, score) to the statistic.
    """

    names: tuple[str, ...]
    prepare: Callable[[FloatArray, FloatArray], Statistic]


def sums_statistic(columns: FloatArray, combine: Callable[[FloatArray], list[FloatArray]]) -> Statistic:
    """Return a statistic that is a function of weighted column sums.

    Args:
        columns: float64, shape (n_rows, n_columns).
        combine: sums, shape (n_columns, n_draws), to one array (n_draws,) a metric; may divide by zero.
    """

    def statistic(weights: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.stack(combine((weights @ columns).T), axis=1)
        values[~np.isfinite(values)] = np.nan
        return values

    return statistic


def flagged(score: FloatArray) -> npt.NDArray[np.bool_]:
    """Return which rows a binary score labels positive: at or over 0.5."""
    return score >= THRESHOLD


def count_columns(target: FloatArray, score: FloatArray) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return numerator and denominator indicators, shape (n_rows,), of each metric that is a plain proportion.

    Binary scores have one dimension, multiclass scores two (and only accuracy).
    """
    if score.ndim == 2:
        right = (score.argmax(axis=1) == target).astype(np.float64)
        return {"accuracy": (right, np.ones_like(right))}
    true, flag = target.astype(np.float64), flagged(score).astype(np.float64)
    every = np.ones_like(true)
    return {
        "accuracy": ((true == flag).astype(np.float64), every),
        "precision": (true * flag, flag),
        "recall": (true * flag, true),
        "false_positive_rate": ((1 - true) * flag, 1 - true),
        "selection_rate": (flag, every),
    }


COUNTS = ("accuracy", "precision", "recall", "false_positive_rate", "selection_rate")


def _counts(names: tuple[str, ...]) -> Callable[[FloatArray, FloatArray], Statistic]:
    def prepare(target: FloatArray, score: FloatArray) -> Statistic:
        pairs = [count_columns(target, score)[name] for name in names]
        columns = np.stack([column for pair in pairs for column in pair], axis=1)
        return sums_statistic(columns, lambda sums: list(sums[0::2] / sums[1::2]))

    return prepare


def _f1(target: FloatArray, score: FloatArray) -> Statistic:
    """f1 is 2 TP / (flagged + positive)."""
    flag = flagged(score).astype(np.float64)
    return sums_statistic(np.stack([flag * target, flag + target], axis=1), lambda sums: [2 * sums[0] / sums[1]])


def _binary_losses(target: FloatArray, score: FloatArray) -> Statistic:
    eps = np.finfo(np.float64).eps
    safe = np.clip(score, eps, 1 - eps)
    log_loss = -(target * np.log(safe) + (1 - target) * np.log1p(-safe))
    columns = np.stack([log_loss, (score - target) ** 2, np.ones_like(score)], axis=1)
    return sums_statistic(columns, lambda sums: [sums[0] / sums[2], sums[1] / sums[2]])


def bin_of(score: FloatArray) -> npt.NDArray[np.intp]:
    """Return the calibration bin of each probability: ten bins of equal width, 1.0 in the last."""
    return np.minimum((score * BINS).astype(np.intp), BINS - 1)


def _ece(target: FloatArray, score: FloatArray) -> Statistic:
    """Expected calibration error: sum over bins of |sum(score) - sum(target)| / n (Naeini et al., AAAI 2015)."""
    columns = np.zeros((len(score), BINS + 1))
    columns[np.arange(len(score)), bin_of(score)] = score - target
    columns[:, BINS] = 1.0
    return sums_statistic(columns, lambda sums: [np.abs(sums[:BINS]).sum(axis=0) / sums[BINS]])


def _ranks(target: FloatArray, score: FloatArray) -> Statistic:
    """Area under the ROC curve (ties count half) and average precision, from one sorting.

    Walking down the sorted scores, only positive rows add to either area. A positive row's threshold takes in every
    row of equal score, so counts are read where its run of ties starts and ends.
    """
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    new_run = np.flatnonzero(np.diff(ranked, prepend=np.inf))
    run = np.cumsum(np.bincount(new_run, minlength=len(ranked))) - 1
    starts, ends = new_run[run], np.append(new_run[1:], len(ranked))[run]
    positive = np.flatnonzero(target[order] == 1)
    first = np.searchsorted(positive, starts[positive])
    last = np.searchsorted(positive, ends[positive])
    start, end = starts[positive], ends[positive]

    def statistic(weights: FloatArray) -> FloatArray:
        in_order = weights[:, order]
        rows_above = np.zeros((len(weights), len(order) + 1))
        np.cumsum(in_order, axis=1, out=rows_above[:, 1:])
        weight = in_order[:, positive]
        true_above = np.zeros((len(weights), len(positive) + 1))
        np.cumsum(weight, axis=1, out=true_above[:, 1:])
        positives = true_above[:, -1]
        negatives = rows_above[:, -1] - positives
        true_end, all_end = true_above[:, last], rows_above[:, end]
        false_mid = (all_end - true_end + rows_above[:, start] - true_above[:, first]) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            area = 1 - (weight * false_mid).sum(axis=1) / (positives * negatives)
            precision = (weight * true_end / np.maximum(all_end, 1e-12)).sum(axis=1) / positives
        values = np.stack([area, precision], axis=1)
        values[~np.isfinite(values)] = np.nan
        return values

    return statistic


def _class_losses(target: FloatArray, score: FloatArray) -> Statistic:
    chosen = score[np.arange(len(score)), target.astype(np.intp)] / score.sum(axis=1)
    eps = np.finfo(np.float64).eps
    columns = np.stack([-np.log(np.clip(chosen, eps, 1 - eps)), np.ones(len(score))], axis=1)
    return sums_statistic(columns, lambda sums: [sums[0] / sums[1]])


def _macro_f1(target: FloatArray, score: FloatArray) -> Statistic:
    """Mean over the classes seen (in target or label) of 2 TP / (labelled + true)."""
    classes = np.arange(score.shape[1])
    true = target[:, None] == classes
    label = score.argmax(axis=1)[:, None] == classes
    columns = np.concatenate([true & label, true.astype(np.int64) + label], axis=1, dtype=np.float64)

    def combine(sums: FloatArray) -> list[FloatArray]:
        hits, sizes = np.split(sums, 2)
        scores = 2 * hits / np.where(sizes > 0, sizes, np.nan)
        seen = (sizes > 0).sum(axis=0)
        return [np.nansum(scores, axis=0) / seen]

    return sums_statistic(columns, combine)


def _errors(target: FloatArray, score: FloatArray) -> Statistic:
    error, centred = score - target, target - target.mean()
    columns = np.stack([error**2, np.abs(error), centred**2, centred, np.ones_like(error)], axis=1)

    def combine(sums: FloatArray) -> list[FloatArray]:
        squared, absolute, around_mean, shift, rows = sums
        spread = around_mean - shift**2 / rows
        return [np.sqrt(squared / rows), absolute / rows, 1 - squared / spread]

    return sums_statistic(columns, combine)


FAMILIES: dict[str, tuple[Family, ...]] = {
    "binary": (
        Family(("roc_auc", "pr_auc"), _ranks),
        Family(("log_loss", "brier"), _binary_losses),
        Family(("ece",), _ece),
        Family(COUNTS, _counts(COUNTS)),
        Family(("f1",), _f1),
    ),
    "multiclass": (
        Family(("accuracy",), _counts(("accuracy",))),
        Family(("macro_f1",), _macro_f1),
        Family(("log_loss",), _class_losses),
    ),
    "regression": (Family(("rmse", "mae", "r2"), _errors),),
}
PROBABILITY_METRICS = frozenset({"log_loss", "brier", "ece"})
LABEL_METRICS = frozenset({*COUNTS, "f1", "macro_f1"})


def names_of(task: str) -> tuple[str, ...]:
    """Return the names of the task's metrics, in the order of their columns in `statistic_of`."""
    return tuple(name for family in FAMILIES[task] for name in family.names)


def statistic_of(task: str, target: FloatArray, score: FloatArray) -> Statistic:
    """Return the statistic of all the task's metrics, columns in the order of `names_of`."""
    parts = [family.prepare(target, score) for family in FAMILIES[task]]
    return lambda weights: np.concatenate([part(weights) for part in parts], axis=1)


def values_of(task: str, target: FloatArray, score: FloatArray) -> dict[str, float]:
    """Return each metric on the rows as they are; NaN where it is undefined."""
    values = statistic_of(task, target, score)(np.ones((1, len(target))))[0]
    return dict(zip(names_of(task), values.tolist(), strict=True))
