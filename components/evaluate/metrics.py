# SPDX-License-Identifier: Apache-2.0
"""The metrics of `kelp.spec.metrics`, computed for many weightings of the same rows at once.

A bootstrap asks for one metric under a thousand weightings of the rows. So a metric is written in two moves:
`prepare(truth, score)` does what depends on the rows alone (sorting, losses), and gives a function from weights, shape
(n_draws, n_units), to values. Metrics that share the first move form a `Family`. Undefined values (no positive row,
nothing flagged) are NaN here; `components.evaluate.intervals` turns NaN into a stated reason.

Scores: binary float64 (n,), the probability of the positive class; multiclass float64 (n, n_classes); regression and
forecast float64 (n,).
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from components.evaluate.errors import forecast_errors, regression_errors
from components.evaluate.ranking import entity_gains, ndcg, ranks
from components.evaluate.truth import Family, FloatArray, Statistic, Truth, Unit, sums_statistic

THRESHOLD = 0.5
BINS = 10


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


def _counts(names: tuple[str, ...]) -> Callable[[Truth, FloatArray], Statistic]:
    def prepare(truth: Truth, score: FloatArray) -> Statistic:
        found = count_columns(truth.target, score)
        pairs = [found[name] for name in names]
        columns = np.stack([column for pair in pairs for column in pair], axis=1)
        return sums_statistic(columns, lambda sums: list(sums[0::2] / sums[1::2]))

    return prepare


def _f1(truth: Truth, score: FloatArray) -> Statistic:
    """f1 is 2 TP / (flagged + positive)."""
    flag = flagged(score).astype(np.float64)
    columns = np.stack([flag * truth.target, flag + truth.target], axis=1)
    return sums_statistic(columns, lambda sums: [2 * sums[0] / sums[1]])


def _binary_losses(truth: Truth, score: FloatArray) -> Statistic:
    eps = np.finfo(np.float64).eps
    safe, target = np.clip(score, eps, 1 - eps), truth.target
    log_loss = -(target * np.log(safe) + (1 - target) * np.log1p(-safe))
    columns = np.stack([log_loss, (score - target) ** 2, np.ones_like(score)], axis=1)
    return sums_statistic(columns, lambda sums: [sums[0] / sums[2], sums[1] / sums[2]])


def bin_of(score: FloatArray) -> npt.NDArray[np.intp]:
    """Return the calibration bin of each probability: ten bins of equal width, 1.0 in the last."""
    return np.minimum((score * BINS).astype(np.intp), BINS - 1)


def _ece(truth: Truth, score: FloatArray) -> Statistic:
    """Expected calibration error: sum over bins of |sum(score) - sum(target)| / n (Naeini et al., AAAI 2015)."""
    columns = np.zeros((len(score), BINS + 1))
    columns[np.arange(len(score)), bin_of(score)] = score - truth.target
    columns[:, BINS] = 1.0
    return sums_statistic(columns, lambda sums: [np.abs(sums[:BINS]).sum(axis=0) / sums[BINS]])


def _class_losses(truth: Truth, score: FloatArray) -> Statistic:
    chosen = score[np.arange(len(score)), truth.target.astype(np.intp)] / score.sum(axis=1)
    eps = np.finfo(np.float64).eps
    columns = np.stack([-np.log(np.clip(chosen, eps, 1 - eps)), np.ones(len(score))], axis=1)
    return sums_statistic(columns, lambda sums: [sums[0] / sums[1]])


def _macro_f1(truth: Truth, score: FloatArray) -> Statistic:
    """Mean over the classes seen (in target or label) of 2 TP / (labelled + true)."""
    true, label, classes = truth.target.astype(np.intp), score.argmax(axis=1), score.shape[1]
    right = true == label

    def of_draw(weights: FloatArray) -> float:
        hits = np.bincount(true[right], weights[right], classes)
        sizes = np.bincount(true, weights, classes) + np.bincount(label, weights, classes)
        return float((2 * hits[sizes > 0] / sizes[sizes > 0]).mean())

    return lambda weights: np.array([[of_draw(draw)] for draw in weights])


FAMILIES: dict[str, tuple[Family, ...]] = {
    "binary": (
        Family(("roc_auc", "pr_auc"), ranks),
        Family(("log_loss", "brier"), _binary_losses),
        Family(("ece",), _ece),
        Family(COUNTS, _counts(COUNTS)),
        Family(("f1",), _f1),
        Family(("ndcg_at_10",), ndcg, "entity"),
    ),
    "multiclass": (
        Family(("accuracy",), _counts(("accuracy",))),
        Family(("macro_f1",), _macro_f1),
        Family(("log_loss",), _class_losses),
    ),
    "regression": (Family(("rmse", "mae", "r2"), regression_errors),),
    "forecast": (Family(("mase", "wape", "rmse", "mae"), forecast_errors, "block"),),
}
PROBABILITY_METRICS = frozenset({"log_loss", "brier", "ece"})
LABEL_METRICS = frozenset({*COUNTS, "f1", "macro_f1"})


def units_of(task: str) -> tuple[Unit, ...]:
    """Return what the task's metrics are resampled by, each once."""
    return tuple(dict.fromkeys(family.unit for family in FAMILIES[task]))


def names_of(task: str, unit: Unit | None = None) -> tuple[str, ...]:
    """Return the names of the task's metrics: by the order of `units_of`, or one unit's as in `statistic_of`."""
    units = units_of(task) if unit is None else (unit,)
    return tuple(name for each in units for family in FAMILIES[task] if family.unit == each for name in family.names)


def statistic_of(truth: Truth, score: FloatArray, unit: Unit = "row") -> Statistic:
    """Return the statistic of all the task's metrics that are resampled by that unit."""
    parts = [family.prepare(truth, score) for family in FAMILIES[truth.task] if family.unit == unit]
    return lambda weights: np.concatenate([part(weights) for part in parts], axis=1)


def values_of(truth: Truth, score: FloatArray) -> dict[str, float]:
    """Return each metric on the rows as they are; NaN where it is undefined."""
    values = [
        statistic_of(truth, score, unit)(np.ones((1, truth.units(unit).count)))[0] for unit in units_of(truth.task)
    ]
    return dict(zip(names_of(truth.task), np.concatenate(values).tolist(), strict=True))


def supports(truth: Truth, score: FloatArray) -> dict[str, int]:
    """Return on how many rows (entities for NDCG) each metric rests: a denominator, the scarcest class, or all rows."""
    found = dict.fromkeys(names_of(truth.task), len(truth.target))
    if truth.task == "regression":
        return found
    if truth.task == "forecast":
        return found | {"mase": 0 if truth.scale is None else int(np.isfinite(truth.scale).sum())}
    found |= {name: int(below.sum()) for name, (_, below) in count_columns(truth.target, score).items()}
    scarce = scarcest(truth)
    if truth.task == "multiclass":
        return found | {"macro_f1": scarce}
    ranked = 0 if truth.entities is None else int(entity_gains(truth, score)[1].sum())
    return found | {"roc_auc": scarce, "pr_auc": scarce, "f1": int((truth.target == 1).sum()), "ndcg_at_10": ranked}


def scarcest(truth: Truth) -> int:
    """Return the rows of the scarcest class (0 if one of two is absent); all rows where there are no classes."""
    if truth.task not in ("binary", "multiclass"):
        return len(truth.target)
    counts = np.bincount(truth.target.astype(np.intp), minlength=2)
    return int(counts.min() if truth.task == "binary" else counts[counts > 0].min())
