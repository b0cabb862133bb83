# SPDX-License-Identifier: Apache-2.0
"""The candidate's metrics in each protected group.

Proportions get exact intervals. A metric that has to be bootstrapped gets an interval only where a gate asks for its
gap; elsewhere the value stands alone and says so.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from components.evaluate.comparison import reasons_against
from components.evaluate.intervals import Estimate, count_estimate, metric_estimate, unbounded_estimate
from components.evaluate.metrics import COUNTS, names_of, supports, values_of
from components.evaluate.resampling import Setting, System, resample
from components.evaluate.truth import FloatArray, Truth, Units
from kelp.spec.metrics import METRICS

NOT_ASKED = "no gate asks for its interval"


def judge_groups(
    setting: Setting,
    truth: Truth,
    score: FloatArray,
    groups: Mapping[str, npt.NDArray[np.object_]],
    asked: Mapping[str, Collection[str]],
) -> dict[str, dict[str, dict[str, Estimate]]]:
    """Estimate every metric in every group.

    Args:
        setting: confidence and generator.
        truth: the held-out rows.
        score: the candidate's, as `components.evaluate.metrics` states.
        groups: by protected column, each row's group, shape (n_rows,).
        asked: by protected column, the metrics whose gap a gate limits.

    Returns:
        By column, group (sorted) and metric.
    """
    return {
        column: {
            str(name): judge_part(setting, truth, score, labels == name, asked.get(column, ()))
            for name in sorted(set(labels.tolist()))
        }
        for column, labels in groups.items()
    }


def judge_part(
    setting: Setting, truth: Truth, score: FloatArray, rows: npt.NDArray[np.bool_], asked: Collection[str] = ()
) -> dict[str, Estimate]:
    """Estimate every metric on some rows, at least one; those asked for, and proportions, have an interval."""
    part, mine = _present(truth.at(rows)), score[rows]
    support, reasons, values = supports(part, mine), reasons_against(part), values_of(part, mine)
    draws = None
    if not set(asked) <= set(COUNTS):
        names = names_of(truth.task)
        system = System("candidate", mine, np.ones(len(mine), dtype=bool), frozenset(names))
        draws = dict(zip(names, resample(setting, part, [system])["candidate"].deviations.T, strict=True))
    found: dict[str, Estimate] = {}
    for name, value in values.items():
        info = METRICS[name]
        if name in COUNTS:
            found[name] = count_estimate(value, support[name], setting.confidence)
        elif name in asked and name not in reasons and draws is not None:
            found[name] = metric_estimate(info, value, draws[name], support[name], setting.confidence)
        else:
            reason = reasons[name] if name in reasons and name in asked else NOT_ASKED
            found[name] = unbounded_estimate(info, value, support[name], reason)
    return found


def _present(truth: Truth) -> Truth:
    """Drop the units without rows, so that resamples draw only what is there."""
    return replace(truth, entities=_compact(truth.entities), blocks=_compact(truth.blocks))


def _compact(units: Units | None) -> Units | None:
    if units is None:
        return None
    present, numbers = np.unique(units.of_row, return_inverse=True)
    return replace(units, of_row=numbers.astype(np.intp), count=len(present))
