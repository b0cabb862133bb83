# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.stats import binom, binomtest

from components.evaluate.gaps import gap, wilson
from components.evaluate.intervals import Estimate, count_estimate


def of_counts(rng: np.random.Generator, shares: list[float], rows: int) -> dict[str, Estimate]:
    return {
        f"group {index}": count_estimate(rng.binomial(rows, share) / rows, rows, 0.95)
        for index, share in enumerate(shares)
    }


def test_score_interval_equals_scipy() -> None:
    expected = binomtest(7, 30).proportion_ci(0.95, method="wilson")
    assert wilson(7 / 30, 30, 1.959963984540054) == pytest.approx((expected.low, expected.high))


def test_the_gap_names_its_ends_and_rests_on_the_smallest_group() -> None:
    found = gap({"a": count_estimate(0.9, 100, 0.95), "b": count_estimate(0.5, 40, 0.95)}, 0.95)
    assert (found.highest, found.lowest, found.estimate.support) == ("a", "b", 40)
    assert found.estimate.value == pytest.approx(0.4)


def test_groups_on_few_rows_are_left_out_by_name() -> None:
    groups = {name: count_estimate(0.5, rows, 0.95) for name, rows in (("a", 100), ("b", 80), ("tiny", 8))}
    assert gap(groups, 0.95).left_out == ("tiny",)


def test_one_group_has_no_gap_and_says_why() -> None:
    found = gap({"a": count_estimate(0.5, 100, 0.95)}, 0.95)
    assert found.estimate.value is None
    assert "fewer than two groups" in found.estimate.reason


def test_intervals_of_bootstrapped_metrics_widen_with_the_number_of_pairs() -> None:
    groups = {str(index): Estimate(0.8, 0.7, 0.85, 100) for index in range(2)}
    more = groups | {str(index): Estimate(0.8, 0.7, 0.85, 100) for index in range(2, 6)}
    two, six = gap(groups, 0.95).estimate, gap(more, 0.95).estimate
    assert two.high == pytest.approx(np.hypot(0.1, 0.05))
    assert six.high is not None
    assert two.high is not None
    assert six.high > two.high


def test_two_groups_of_a_metric_with_no_gap_have_a_lower_bound_of_zero() -> None:
    found = gap({"a": Estimate(0.8, 0.7, 0.9, 50), "b": Estimate(0.81, 0.7, 0.9, 50)}, 0.95).estimate
    assert found.low == 0.0


@pytest.mark.parametrize("share", [pytest.param(0.5, id="half"), pytest.param(0.9, id="most")])
def test_a_fair_model_with_four_groups_of_fifty_is_rarely_failed(share: float) -> None:
    rng, repeats, limit = np.random.default_rng(4), 1_000, 0.1
    naive = failed = 0
    for _ in range(repeats):
        found = gap(of_counts(rng, [share] * 4, 50), 0.95).estimate
        naive += (found.value or 0.0) > limit
        failed += (found.low or 0.0) > 0.0  # the harshest limit there is
    assert naive > 0.25 * repeats
    assert failed <= binom.ppf(0.999, repeats, 0.05)


def test_the_bounds_hold_the_true_gap_as_often_as_stated() -> None:
    rng, repeats, true_gap = np.random.default_rng(9), 1_000, 0.2
    under = over = 0
    for _ in range(repeats):
        found = gap(of_counts(rng, [0.8, 0.7, 0.6, 0.75], 60), 0.95).estimate
        under += (found.low or 0.0) > true_gap
        over += (found.high or 1.0) < true_gap
    assert under <= binom.ppf(0.999, repeats, 0.025)
    assert over <= binom.ppf(0.999, repeats, 0.025)


def test_a_large_unfair_gap_is_found_and_a_large_fair_sample_passes() -> None:
    rng = np.random.default_rng(1)
    unfair = gap(of_counts(rng, [0.9, 0.6, 0.9, 0.9], 400), 0.95).estimate
    fair = gap(of_counts(rng, [0.9] * 4, 2_000), 0.95).estimate
    assert (unfair.low or 0.0) > 0.1
    assert (fair.high or 1.0) < 0.1
