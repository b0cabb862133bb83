# SPDX-License-Identifier: Apache-2.0
"""Every metric of every system on the same held-out rows, and how much better the candidate is than each other one.

A system is anything that gives a score a row: the candidate, the champion, the legacy system, a dummy. Pure: arrays in,
estimates out. `step` calls it, `gates` decides on what it returns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.evaluate.intervals import Estimate, bootstrap, count_estimate, difference_estimate, metric_estimate
from components.evaluate.metrics import COUNTS, FloatArray, Statistic, count_columns, names_of, statistic_of
from kelp.spec.metrics import METRICS


@dataclass(frozen=True, slots=True)
class System:
    """Scores on the held-out rows.

    Attributes:
        name: candidate, champion, legacy or dummy.
        score: as `components.evaluate.metrics` states; anything where `rows` is False.
        rows: bool, shape (n_rows,); the rows it scored, at least one.
        metrics: the metrics its scores allow.
        note: what a reader must know of it; may be empty.
    """

    name: str
    score: FloatArray
    rows: npt.NDArray[np.bool_]
    metrics: frozenset[str]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Absence:
    """Why there is nothing to compare with, and whether a gate that names it passes for that reason."""

    reason: str
    is_pass: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """One system's estimates, and how much better the candidate is on the same rows (positive: better)."""

    metrics: Mapping[str, Estimate]
    improvement: Mapping[str, Estimate]


def judge(
    task: str, target: FloatArray, systems: Sequence[System], rng: np.random.Generator, confidence: float
) -> dict[str, Judged]:
    """Estimate every metric of every system, and the candidate's improvement over each other one.

    Args:
        task: binary, multiclass or regression.
        target: float64, shape (n_rows,); class index or value.
        systems: the candidate first, which must have scored every row.
        rng: consumed by the bootstrap.
        confidence: of the two-sided intervals, in (0, 1).

    Returns:
        By the system's name; the candidate's improvement is empty.
    """
    candidate, *others = systems
    statistics = {candidate.name: statistic_of(task, target, candidate.score)}
    for other in others:
        statistics[other.name] = _on_rows(task, target, other.score, other.rows)
        if not other.rows.all():
            statistics[_beside(other)] = _on_rows(task, target, candidate.score, other.rows)
    draws = bootstrap(list(statistics.values()), len(target), rng, scarce=scarcest(task, target))
    samples = {
        name: Sample(statistic(np.ones((1, len(target))))[0], deviations)
        for (name, statistic), deviations in zip(statistics.items(), draws, strict=True)
    }
    found = {candidate.name: Judged(_metrics(task, target, candidate, samples[candidate.name], confidence), {})}
    for other in others:
        mine = samples.get(_beside(other), samples[candidate.name])
        pair = _improvements(task, target, (candidate, mine), (other, samples[other.name]), confidence)
        found[other.name] = Judged(_metrics(task, target, other, samples[other.name], confidence), pair)
    return found


@dataclass(frozen=True, slots=True)
class Sample:
    """Values (n_metrics,) on the rows as they are, and the resamples' deviations (n_draws, n_metrics)."""

    values: FloatArray
    deviations: FloatArray


def _beside(other: System) -> str:
    return f"candidate on the rows of {other.name}"


def _on_rows(task: str, target: FloatArray, score: FloatArray, rows: npt.NDArray[np.bool_]) -> Statistic:
    if rows.all():
        return statistic_of(task, target, score)
    statistic = statistic_of(task, target[rows], score[rows])
    return lambda weights: statistic(weights[:, rows])


def supports(task: str, target: FloatArray, score: FloatArray) -> dict[str, int]:
    """Return how many rows each metric rests on: a proportion's denominator, the scarcest class, or all rows."""
    found = dict.fromkeys(names_of(task), len(target))
    if task == "regression":
        return found
    found |= {name: int(below.sum()) for name, (_, below) in count_columns(target, score).items()}
    scarce = scarcest(task, target)
    if task == "multiclass":
        return found | {"macro_f1": scarce}
    return found | {"roc_auc": scarce, "pr_auc": scarce, "f1": int((target == 1).sum())}


def scarcest(task: str, target: FloatArray) -> int:
    """Return the rows of the scarcest class (0 if one of two is absent); all rows for a regression."""
    if task == "regression":
        return len(target)
    counts = np.bincount(target.astype(np.intp), minlength=2)
    return int(counts.min() if task == "binary" else counts[counts > 0].min())


def _metrics(task: str, target: FloatArray, system: System, sample: Sample, confidence: float) -> dict[str, Estimate]:
    support = supports(task, target[system.rows], system.score[system.rows])
    found: dict[str, Estimate] = {}
    for column, name in enumerate(names_of(task)):
        if name not in system.metrics:
            found[name] = Estimate(None, None, None, support[name], f"{system.name}: {system.note}")
        elif name in COUNTS:
            found[name] = count_estimate(float(sample.values[column]), support[name], confidence)
        else:
            found[name] = metric_estimate(
                METRICS[name], float(sample.values[column]), sample.deviations[:, column], support[name], confidence
            )
    return found


def _improvements(
    task: str, target: FloatArray, mine: tuple[System, Sample], theirs: tuple[System, Sample], confidence: float
) -> dict[str, Estimate]:
    other, rows = theirs[0], theirs[0].rows
    is_same = bool(np.array_equal(mine[0].score[rows], other.score[rows]))
    my_support = supports(task, target[rows], mine[0].score[rows])
    their_support = supports(task, target[rows], other.score[rows])
    found: dict[str, Estimate] = {}
    for column, name in enumerate(names_of(task)):
        info, support = METRICS[name], min(my_support[name], their_support[name])
        if name not in other.metrics:
            found[name] = Estimate(None, None, None, support, f"{other.name}: {other.note}")
            continue
        if info.higher_is_better is None:
            continue
        sign = 1.0 if info.higher_is_better else -1.0
        value = sign * float(mine[1].values[column] - theirs[1].values[column])
        deviations = sign * (mine[1].deviations[:, column] - theirs[1].deviations[:, column])
        found[name] = difference_estimate(info, value, deviations, support, confidence, is_same=is_same)
    return found
