# SPDX-License-Identifier: Apache-2.0
"""Every metric of every system on the same held-out rows, and how much better the candidate is than each other one.

A system is anything that gives a score a row: the candidate, the champion, the legacy system, a dummy. Pure: arrays in,
estimates out. `step` calls it, `gates` decides on what it returns.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from components.evaluate.intervals import (
    Estimate,
    bootstrap,
    count_estimate,
    difference_estimate,
    metric_estimate,
    sample_rows,
)
from components.evaluate.metrics import COUNTS, FloatArray, Statistic, count_columns, names_of, statistic_of
from kelp.spec.metrics import METRICS


@dataclass(frozen=True, slots=True)
class Setting:
    """What every estimate depends on: the task, the confidence of intervals in (0, 1), and the draws' generator."""

    task: str
    confidence: float
    rng: np.random.Generator


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


def judge(setting: Setting, target: FloatArray, systems: Sequence[System]) -> dict[str, Judged]:
    """Estimate every metric of every system, and the candidate's improvement over each other one.

    Args:
        setting: task, confidence and generator, which the bootstrap consumes.
        target: float64, shape (n_rows,); class index or value.
        systems: the candidate first, which must have scored every row.

    Returns:
        By the system's name; the candidate's improvement is empty.
    """
    candidate, *others = systems
    task, rows = setting.task, len(target)
    partial = [other.name for other in others if not other.rows.all()]
    whole = _statistics(task, target, systems, partial)
    values = {name: statistic(np.ones((1, rows)))[0] for name, statistic in whole.items()}
    chosen = sample_rows(rows, scarcest(task, target), setting.rng)
    statistics = _statistics(task, target[chosen], [_part(system, chosen) for system in systems], partial)
    draws = bootstrap(list(statistics.values()), len(chosen), rows, setting.rng)
    samples = {name: Sample(values[name], deviations) for name, deviations in zip(statistics, draws, strict=True)}
    found = {candidate.name: Judged(_metrics(setting, target, candidate, samples[candidate.name]), {})}
    for other in others:
        mine = samples.get(_beside(other.name), samples[candidate.name])
        pair = _improvements(setting, target, (candidate, mine), (other, samples[other.name]))
        found[other.name] = Judged(_metrics(setting, target, other, samples[other.name]), pair)
    return found


@dataclass(frozen=True, slots=True)
class Sample:
    """Values (n_metrics,) on the rows as they are, and the resamples' deviations (n_draws, n_metrics)."""

    values: FloatArray
    deviations: FloatArray


def _beside(name: str) -> str:
    return f"candidate on the rows of {name}"


def _part(system: System, chosen: npt.NDArray[np.intp]) -> System:
    return replace(system, score=system.score[chosen], rows=system.rows[chosen])


def _statistics(
    task: str, target: FloatArray, systems: Sequence[System], partial: Collection[str]
) -> dict[str, Statistic]:
    """One a system; beside those that scored only some rows, the candidate's on the same rows."""
    found: dict[str, Statistic] = {}
    for system in systems:
        found[system.name] = _on_rows(task, target, system.score, system.rows)
        if system.name in partial:
            found[_beside(system.name)] = _on_rows(task, target, systems[0].score, system.rows)
    return found


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


def _metrics(setting: Setting, target: FloatArray, system: System, sample: Sample) -> dict[str, Estimate]:
    support = supports(setting.task, target[system.rows], system.score[system.rows])
    found: dict[str, Estimate] = {}
    for column, name in enumerate(names_of(setting.task)):
        value, deviations = float(sample.values[column]), sample.deviations[:, column]
        if name not in system.metrics:
            found[name] = Estimate(None, None, None, support[name], system.note)
        elif name in COUNTS:
            found[name] = count_estimate(value, support[name], setting.confidence)
        else:
            found[name] = metric_estimate(METRICS[name], value, deviations, support[name], setting.confidence)
    return found


def _improvements(
    setting: Setting, target: FloatArray, mine: tuple[System, Sample], theirs: tuple[System, Sample]
) -> dict[str, Estimate]:
    (me, my_sample), (other, their_sample) = mine, theirs
    rows = other.rows
    # The champion is scored through ONNX: the same model again differs in the last bits of a float32.
    is_same = np.allclose(me.score[rows], other.score[rows], rtol=1e-5, atol=1e-6)
    my_support = supports(setting.task, target[rows], me.score[rows])
    their_support = supports(setting.task, target[rows], other.score[rows])
    found: dict[str, Estimate] = {}
    for column, name in enumerate(names_of(setting.task)):
        info, support = METRICS[name], min(my_support[name], their_support[name])
        if info.higher_is_better is None:
            continue
        if name not in other.metrics:
            found[name] = Estimate(None, None, None, support, f"{other.name}: {other.note}")
            continue
        sign = 1.0 if info.higher_is_better else -1.0
        value = sign * float(my_sample.values[column] - their_sample.values[column])
        deviations = sign * (my_sample.deviations[:, column] - their_sample.deviations[:, column])
        found[name] = difference_estimate(info, value, deviations, support, setting.confidence, is_same=is_same)
    return found
