# SPDX-License-Identifier: Apache-2.0
"""The candidate's metrics in each protected group.

Proportions get exact intervals. A metric that has to be bootstrapped gets an interval only where a gate asks for its
gap; elsewhere the value stands alone and says so.
"""

from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt

from components.evaluate.comparison import Setting, scarcest, supports
from components.evaluate.intervals import Estimate, bootstrap, count_estimate, metric_estimate, sample_rows
from components.evaluate.metrics import COUNTS, FloatArray, names_of, statistic_of
from kelp.spec.metrics import METRICS

NOT_ASKED = "no gate asks for its interval"


def judge_groups(
    setting: Setting,
    target: FloatArray,
    score: FloatArray,
    groups: Mapping[str, npt.NDArray[np.object_]],
    asked: Mapping[str, Collection[str]],
) -> dict[str, dict[str, dict[str, Estimate]]]:
    """Estimate every metric in every group.

    Args:
        setting: task, confidence and generator.
        target: float64, shape (n_rows,).
        score: the candidate's, as `components.evaluate.metrics` states.
        groups: by protected column, each row's group, shape (n_rows,).
        asked: by protected column, the metrics whose gap a gate limits.

    Returns:
        By column, group (sorted) and metric.
    """
    return {
        column: {
            str(name): _group(setting, target[labels == name], score[labels == name], asked.get(column, ()))
            for name in sorted(set(labels.tolist()))
        }
        for column, labels in groups.items()
    }


def _group(setting: Setting, target: FloatArray, score: FloatArray, asked: Collection[str]) -> dict[str, Estimate]:
    statistic, support = statistic_of(setting.task, target, score), supports(setting.task, target, score)
    values = statistic(np.ones((1, len(target))))[0]
    draws = None
    if not set(asked) <= set(COUNTS):
        chosen = sample_rows(len(target), scarcest(setting.task, target), setting.rng)
        sampled = statistic_of(setting.task, target[chosen], score[chosen])
        (draws,) = bootstrap([sampled], len(chosen), len(target), setting.rng)
    found: dict[str, Estimate] = {}
    for position, name in enumerate(names_of(setting.task)):
        value = float(values[position])
        if name in COUNTS:
            found[name] = count_estimate(value, support[name], setting.confidence)
        elif name in asked and draws is not None:
            found[name] = metric_estimate(METRICS[name], value, draws[:, position], support[name], setting.confidence)
        else:
            found[name] = Estimate(None if np.isnan(value) else value, None, None, support[name], NOT_ASKED)
    return found
