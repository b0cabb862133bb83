# SPDX-License-Identifier: Apache-2.0
"""The candidate's metrics in each protected group. Proportions get exact intervals; a metric that has to be bootstrapped
gets an interval only where a gate asks for it. Pure but for the generator it consumes."""

from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt

from components.evaluate.comparison import scarcest, supports
from components.evaluate.intervals import Estimate, bootstrap, count_estimate, metric_estimate
from components.evaluate.metrics import COUNTS, FloatArray, names_of, statistic_of
from kelp.spec.metrics import METRICS

MAX_GROUPS = 50
Labels = Mapping[str, npt.NDArray[np.object_]]


def judge_groups(
    task: str,
    target: FloatArray,
    score: FloatArray,
    groups: Labels,
    asked: Mapping[str, Collection[str]],
    rng: np.random.Generator,
    confidence: float,
) -> dict[str, dict[str, dict[str, Estimate]]]:
    """Placeholder."""
    return {}
