# SPDX-License-Identifier: Apache-2.0
"""The gap of a metric between groups, with an interval that small groups cannot fool.

The largest minus the smallest of noisy values is large even when nothing differs. So every pair of groups gets an
interval for its difference, all pairs together at the stated confidence (Bonferroni), and the gap's bounds are the
largest lower and the largest upper bound among the pairs. Pure; `gates` and the report call it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import hypot, sqrt
from statistics import NormalDist

from components.evaluate.intervals import MIN_SUPPORT, Bounds, Estimate


@dataclass(frozen=True, slots=True)
class Gap:
    """The gap over all groups large enough to take part.

    Attributes:
        estimate: largest minus smallest value; its support is that of the smallest group that takes part.
        highest: the group with the largest value; empty without an estimate.
        lowest: the group with the smallest value; empty without an estimate.
        left_out: groups on too few rows, or without a value.
    """

    estimate: Estimate
    highest: str
    lowest: str
    left_out: tuple[str, ...]


def gap(groups: Mapping[str, Estimate], confidence: float) -> Gap:
    """Return the gap between groups of disjoint rows.

    Args:
        groups: the metric in each group, each with its own two-sided interval at `confidence`.
        confidence: of the gap's two-sided interval.
    """
    taking_part = {name: found for name, found in groups.items() if found.is_bounded and found.support >= MIN_SUPPORT}
    left_out = tuple(name for name in groups if name not in taking_part)
    if len(taking_part) < 2:
        reason = f"fewer than two groups have the {MIN_SUPPORT} rows that are needed"
        return Gap(Estimate(None, None, None, 0, reason), "", "", left_out)
    values = {name: found.value or 0.0 for name, found in taking_part.items()}
    highest, lowest = max(values, key=values.__getitem__), min(values, key=values.__getitem__)
    pairs = list(combinations(taking_part.values(), 2))
    each = 1 - (1 - confidence) / len(pairs)
    bounds = [_difference(a, b, confidence, each) for a, b in pairs]
    low = max(max(0.0, low, -high) for low, high in bounds)
    high = max(max(high, -low) for low, high in bounds)
    smallest = min(taking_part.values(), key=lambda found: found.support)
    estimate = Estimate(values[highest] - values[lowest], low, high, smallest.support, unit=smallest.unit)
    return Gap(estimate, highest, lowest, left_out)


def _difference(a: Estimate, b: Estimate, confidence: float, each: float) -> Bounds:
    """The interval of a - b from the two groups' own intervals ("square and add", Newcombe, Stat. Med. 1998)."""
    (a_value, a_low, a_high), (b_value, b_low, b_high) = (_widened(found, confidence, each) for found in (a, b))
    difference = a_value - b_value
    return (
        difference - hypot(a_value - a_low, b_high - b_value),
        difference + hypot(a_high - a_value, b_value - b_low),
    )


def _widened(found: Estimate, confidence: float, each: float) -> tuple[float, float, float]:
    """Return value and bounds at the confidence `each`: Wilson's for proportions, else stretched as a normal's."""
    value, low, high = found.value or 0.0, found.low or 0.0, found.high or 0.0
    z = NormalDist().inv_cdf((1 + each) / 2)
    if found.is_proportion:
        return value, *wilson(value, found.support, z)
    stretch = z / NormalDist().inv_cdf((1 + confidence) / 2)
    return value, value - stretch * (value - low), value + stretch * (high - value)


def wilson(share: float, rows: int, z: float) -> Bounds:
    """Return the score interval of a proportion (Wilson, JASA 1927) at z standard deviations; rows >= 1."""
    centre = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    return max(0.0, centre - half), min(1.0, centre + half)
