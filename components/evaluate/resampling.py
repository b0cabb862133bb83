# SPDX-License-Identifier: Apache-2.0
"""Every system's metrics on the rows as they are and on the same resamples of them.

A metric is resampled by what its `Family` names: single rows; all rows of an entity; or, of forecasts, all rows of a
series or of a stretch of time, because errors near each other are alike. Few units make resamples too alike: their
deviations are stretched by sqrt(n / (n - 1)) and from a normal's to a t's quantile with n - 1 degrees of freedom
(Hesterberg, Am. Statistician 2015).

Simulated forecasts of 8 to 30 series, or of 8 to 24 stretches of one: 95 % intervals of mase, wape and mae lay above
the truth in 0 to 2 % of samples, and below it in 2 to 7 % (of rmse in 3 to 10 %; the fewer units, the more). Drawn row
by row they missed it in 42 to 57 %. Pure.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from components.evaluate.intervals import bootstrap, sample_rows
from components.evaluate.metrics import scarcest, statistic_of, units_of
from components.evaluate.truth import FloatArray, Statistic, Truth, Unit


@dataclass(frozen=True, slots=True)
class Setting:
    """What every estimate depends on: the confidence of intervals in (0, 1), and the draws' generator."""

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
class Sample:
    """Values (n_metrics,) on the rows as they are, and the resamples' deviations (n_draws, n_metrics)."""

    values: FloatArray
    deviations: FloatArray


def resample(setting: Setting, truth: Truth, systems: Sequence[System]) -> dict[str, Sample]:
    """Compute the metrics, in the order of `names_of`, on all rows and on resamples that all systems share.

    Returns:
        By the system's name; for each that scored only some rows also, under `beside(name)`, the first system's on the
        same rows.
    """
    partial = [system.name for system in systems if not system.rows.all()]
    parts = [_resampled(setting, truth, systems, partial, unit) for unit in units_of(truth.task)]
    return {
        name: Sample(
            np.concatenate([part[name].values for part in parts]),
            np.concatenate([part[name].deviations for part in parts], axis=1),
        )
        for name in parts[0]
    }


def beside(name: str) -> str:
    """Name the first system on the rows of another one."""
    return f"candidate on the rows of {name}"


def _resampled(
    setting: Setting, truth: Truth, systems: Sequence[System], partial: Collection[str], unit: Unit
) -> dict[str, Sample]:
    count = truth.units(unit).count
    whole = _statistics(truth, systems, partial, unit)
    values = {name: statistic(np.ones((1, count)))[0] for name, statistic in whole.items()}
    chosen = sample_rows(count, scarcest(truth) if unit == "row" else count, setting.rng)
    statistics = whole
    if len(chosen) < count:
        part, kept = _part(truth, unit, chosen)
        statistics = _statistics(part, [_only(system, kept) for system in systems], partial, unit)
    draws = bootstrap(list(statistics.values()), len(chosen), count, setting.rng)
    stretch = 1.0 if unit == "row" else truth.units(unit).overlap * few_units_stretch(count, setting.confidence)
    return {name: Sample(values[name], stretch * found) for name, found in zip(statistics, draws, strict=True)}


def _part(truth: Truth, unit: Unit, chosen: npt.NDArray[np.intp]) -> tuple[Truth, npt.NDArray[np.intp]]:
    """Return the truth of the chosen units alone, and which rows are theirs."""
    if unit == "row":
        return truth.at(chosen), chosen
    units = truth.units(unit)
    kept = np.flatnonzero(np.isin(units.of_row, chosen))
    part = truth.at(kept)
    numbered = part.units(unit).only(chosen)
    return (replace(part, entities=numbered) if unit == "entity" else replace(part, blocks=numbered)), kept


def _only(system: System, rows: npt.NDArray[np.intp]) -> System:
    return replace(system, score=system.score[rows], rows=system.rows[rows])


def _statistics(truth: Truth, systems: Sequence[System], partial: Collection[str], unit: Unit) -> dict[str, Statistic]:
    """One a system; beside those that scored only some rows, the first system's on the same rows."""
    found: dict[str, Statistic] = {}
    for system in systems:
        found[system.name] = _on_rows(truth, system.score, system.rows, unit)
        if system.name in partial:
            found[beside(system.name)] = _on_rows(truth, systems[0].score, system.rows, unit)
    return found


def _on_rows(truth: Truth, score: FloatArray, rows: npt.NDArray[np.bool_], unit: Unit) -> Statistic:
    if rows.all():
        return statistic_of(truth, score, unit)
    statistic = statistic_of(truth.at(rows), score[rows], unit)
    return statistic if unit != "row" else lambda weights: statistic(weights[:, rows])


def few_units_stretch(units: int, confidence: float) -> float:
    """Return by how much deviations of resamples of so many units are too small; 1 for one unit, which cannot vary."""
    from scipy.stats import norm, t

    if units < 2:
        return 1.0
    quantile = (1 + confidence) / 2
    return float(np.sqrt(units / (units - 1)) * t.ppf(quantile, units - 1) / norm.ppf(quantile))
