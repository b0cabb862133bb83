# SPDX-License-Identifier: Apache-2.0
"""Every metric of every system on the same held-out rows, and how much better the candidate is than each other one.

A system is anything that gives a score a row: the candidate, the champion, the legacy system, a dummy. Pure: arrays in,
estimates out. `step` calls it, `gates` decides on what it returns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from components.evaluate.intervals import (
    Estimate,
    count_estimate,
    difference_estimate,
    metric_estimate,
    unbounded_estimate,
)
from components.evaluate.metrics import COUNTS, names_of, supports
from components.evaluate.resampling import Sample, Setting, System, beside, resample
from components.evaluate.truth import Truth
from kelp.spec.metrics import METRICS

NO_ENTITY = "the spec names no data.entity whose rows could be ranked"
MIN_BLOCKS = 8


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


def judge(setting: Setting, truth: Truth, systems: Sequence[System]) -> dict[str, Judged]:
    """Estimate every metric of every system, and the candidate's improvement over each other one.

    Args:
        setting: confidence and generator, which the bootstrap consumes.
        truth: the held-out rows.
        systems: the candidate first, which must have scored every row.

    Returns:
        By the system's name; the candidate's improvement is empty.
    """
    candidate, *others = systems
    samples = resample(setting, truth, systems)
    found = {candidate.name: Judged(_metrics(setting, truth, candidate, samples[candidate.name]), {})}
    for other in others:
        mine = samples.get(beside(other.name), samples[candidate.name])
        pair = _improvements(setting, truth, (candidate, mine), (other, samples[other.name]))
        found[other.name] = Judged(_metrics(setting, truth, other, samples[other.name]), pair)
    return found


def reasons_against(truth: Truth) -> dict[str, str]:
    """Return the metrics that cannot have an interval on these rows, whoever scores them, and why."""
    if truth.task == "binary" and truth.entities is None:
        return {"ndcg_at_10": NO_ENTITY}
    if truth.task == "forecast" and truth.units("block").count < MIN_BLOCKS:
        reason = (
            f"the test part has {truth.units('block').count} stretches of time that do not depend on each other, at "
            f"least {MIN_BLOCKS} are needed; widen spec.data.split.test"
        )
        return dict.fromkeys(names_of(truth.task), reason)
    return {}


def _metrics(setting: Setting, truth: Truth, system: System, sample: Sample) -> dict[str, Estimate]:
    support, reasons = supports(truth.at(system.rows), system.score[system.rows]), reasons_against(truth)
    found: dict[str, Estimate] = {}
    for column, name in enumerate(names_of(truth.task)):
        info, value, deviations = METRICS[name], float(sample.values[column]), sample.deviations[:, column]
        if name not in system.metrics:
            found[name] = unbounded_estimate(info, np.nan, support[name], system.note)
        elif name in reasons:
            found[name] = unbounded_estimate(info, value, support[name], reasons[name])
        elif name in COUNTS:
            found[name] = count_estimate(value, support[name], setting.confidence)
        else:
            found[name] = metric_estimate(info, value, deviations, support[name], setting.confidence)
    return found


def _improvements(
    setting: Setting, truth: Truth, mine: tuple[System, Sample], theirs: tuple[System, Sample]
) -> dict[str, Estimate]:
    (me, my_sample), (other, their_sample) = mine, theirs
    rows, part, reasons = other.rows, truth.at(other.rows), reasons_against(truth)
    # Two copies of one model may differ in the last bits of a float32.
    is_same = np.allclose(me.score[rows], other.score[rows], rtol=1e-5, atol=1e-6)
    my_support, their_support = supports(part, me.score[rows]), supports(part, other.score[rows])
    found: dict[str, Estimate] = {}
    for column, name in enumerate(names_of(truth.task)):
        info, support = METRICS[name], min(my_support[name], their_support[name])
        if info.higher_is_better is None:
            continue
        sign = 1.0 if info.higher_is_better else -1.0
        value = sign * float(my_sample.values[column] - their_sample.values[column])
        deviations = sign * (my_sample.deviations[:, column] - their_sample.deviations[:, column])
        if name not in other.metrics:
            found[name] = unbounded_estimate(info, np.nan, support, f"{other.name}: {other.note}")
        elif name in reasons:
            found[name] = unbounded_estimate(info, value, support, reasons[name])
        else:
            found[name] = difference_estimate(info, value, deviations, support, setting.confidence, is_same=is_same)
    return found
