# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom, binomtest

from components.evaluate.intervals import (
    bootstrap,
    clopper_pearson,
    count_estimate,
    difference_estimate,
    interval,
    metric_estimate,
    sample_rows,
    zero_failures,
)
from components.evaluate.metrics import names_of, statistic_of, values_of
from components.evaluate.truth import Truth
from kelp.spec.metrics import METRICS

Floats = npt.NDArray[np.float64]
BINARY = names_of("binary", "row")


def scored(rng: np.random.Generator, rows: int, positives: float) -> tuple[Floats, Floats]:
    """A calibrated binary problem whose ROC AUC is about 0.8."""
    target = (rng.random(rows) < positives).astype(np.float64)
    signal = rng.normal(size=rows) + 1.2 * target
    return target, 1 / (1 + np.exp(-(np.log(positives / (1 - positives)) + 1.2 * signal - 0.72)))


@pytest.mark.parametrize(
    ("hits", "rows"),
    [
        pytest.param(0, 12, id="none"),
        pytest.param(12, 12, id="all"),
        pytest.param(5, 12, id="some"),
        pytest.param(1, 1, id="one-row"),
    ],
)
def test_exact_interval_equals_scipy(hits: int, rows: int) -> None:
    expected = binomtest(hits, rows).proportion_ci(0.95, method="exact")
    assert clopper_pearson(hits, rows, 0.95) == pytest.approx((expected.low, expected.high))


def test_a_proportion_of_no_rows_is_undefined_with_a_reason() -> None:
    found = count_estimate(np.nan, 0, 0.95)
    assert (found.value, found.low, found.reason) == (None, None, "no row to count it on")


def test_the_same_seed_gives_the_same_interval() -> None:
    target, score = scored(np.random.default_rng(0), 300, 0.3)
    statistic = statistic_of(Truth("binary", target), score)
    first, second = (bootstrap([statistic], 300, 300, np.random.default_rng(5), resamples=50)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_perfect_small_sample_does_not_get_a_width_of_zero() -> None:
    target = np.array([0.0] * 80 + [1.0] * 20)
    draws = bootstrap(
        [statistic_of(Truth("binary", target), target)], 100, 100, np.random.default_rng(0), resamples=200
    )[0]
    found = metric_estimate(METRICS["roc_auc"], 1.0, draws[:, BINARY.index("roc_auc")], 20, 0.95)
    assert found.high == 1.0
    assert found.low == pytest.approx(1 - zero_failures(20, 0.95)) == pytest.approx(0.8316, abs=1e-4)


def test_a_metric_that_cannot_vary_is_known_exactly() -> None:
    found = metric_estimate(METRICS["roc_auc"], 0.5, np.zeros(100), 20, 0.95)
    assert (found.low, found.high) == (0.5, 0.5)


def test_too_few_rows_give_a_value_without_an_interval() -> None:
    found = metric_estimate(METRICS["roc_auc"], 0.7, np.linspace(-0.1, 0.1, 100), 9, 0.95)
    assert (found.value, found.low) == (0.7, None)
    assert "at least 10 are needed" in found.reason


def test_draws_that_are_often_undefined_give_no_interval() -> None:
    draws = np.where(np.arange(100) < 6, np.nan, 0.1)
    assert interval(draws, 0.5, 0.95) is None


def test_an_interval_stays_inside_the_range_of_its_metric() -> None:
    found = metric_estimate(METRICS["roc_auc"], 0.98, np.linspace(-0.1, 0.1, 100), 50, 0.95)
    assert found.high == 1.0


def test_equal_scores_differ_by_exactly_nothing() -> None:
    found = difference_estimate(METRICS["recall"], 1e-9, np.zeros(100), 12, 0.95, is_same=True)
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_labels_that_happen_to_agree_leave_room_for_a_difference() -> None:
    found = difference_estimate(METRICS["recall"], 0.0, np.zeros(100), 12, 0.95, is_same=False)
    assert found.low == pytest.approx(-zero_failures(12, 0.95))


@pytest.mark.parametrize(
    ("rows", "scarce", "expected"),
    [
        pytest.param(40_000, 400, 40_000, id="small-data-whole"),
        pytest.param(1_000_000, 500_000, 50_000, id="large-data-in-part"),
        pytest.param(1_000_000, 1_000, 200_000, id="rare-class-keeps-200"),
        pytest.param(100_000, 0, 100_000, id="class-absent"),
    ],
)
def test_resamples_are_drawn_from_enough_rows(rows: int, scarce: int, expected: int) -> None:
    chosen = sample_rows(rows, scarce, np.random.default_rng(0))
    assert len(chosen) == len(set(chosen.tolist())) == expected


def test_a_part_of_the_rows_gives_nearly_the_interval_of_all() -> None:
    target, score = scored(np.random.default_rng(1), 40_000, 0.2)
    widths = []
    for size in (40_000, 5_000):
        statistic = statistic_of(Truth("binary", target[:size]), score[:size])
        draws = bootstrap([statistic], size, 40_000, np.random.default_rng(2), resamples=200)[0]
        widths.append(draws.std(axis=0))
    np.testing.assert_allclose(widths[1], widths[0], rtol=0.25)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "positives"), [pytest.param(300, 0.3, id="90-positives"), pytest.param(600, 0.1, id="60-positives")]
)
def test_bounds_are_wrong_as_rarely_as_stated(rows: int, positives: float) -> None:
    many, scores = scored(np.random.default_rng(1), 1_000_000, positives)
    truth = values_of(Truth("binary", many), scores)
    misses = _misses(rows, positives, truth, repeats := 400)
    worst = int(binom.ppf(0.999, repeats, 0.04))
    for name in ("roc_auc", "pr_auc", "log_loss", "brier", "f1", "ece"):
        assert max(misses[name]) <= worst, (name, misses[name])


def _misses(rows: int, positives: float, truth: dict[str, float], repeats: int) -> dict[str, list[int]]:
    """How often the truth lay under the lower, and over the upper bound."""
    rng = np.random.default_rng(7)
    misses = {name: [0, 0] for name in BINARY}
    for _ in range(repeats):
        target, score = scored(rng, rows, positives)
        statistic = statistic_of(Truth("binary", target), score)
        values = statistic(np.ones((1, rows)))[0]
        draws = bootstrap([statistic], rows, rows, rng, resamples=500)[0]
        for column, name in enumerate(BINARY):
            found = metric_estimate(METRICS[name], float(values[column]), draws[:, column], 30, 0.95)
            if found.low is not None and found.high is not None:
                misses[name][0] += truth[name] < found.low
                misses[name][1] += truth[name] > found.high
    return misses


def test_exact_bounds_are_wrong_at_most_as_often_as_stated() -> None:
    chance = _chance_low_is_wrong(lambda hits: clopper_pearson(hits, 60, 0.95)[0], rows=60)
    assert max(chance) <= 0.025


def _chance_low_is_wrong(low: Callable[[int], float], rows: int) -> list[float]:
    bounds = np.array([low(hits) for hits in range(rows + 1)])
    shares = np.linspace(0.01, 0.99, 197)
    return [float(binom.pmf(np.flatnonzero(bounds > share), rows, share).sum()) for share in shares]


@pytest.mark.slow
def test_a_model_worse_by_the_whole_margin_rarely_looks_no_worse() -> None:
    rng, rows, margin, passed, repeats = np.random.default_rng(11), 400, 0.05, 0, 400
    column = BINARY.index("accuracy")
    for _ in range(repeats):
        target = (rng.random(rows) < 0.5).astype(np.float64)
        draw = rng.random(rows)
        theirs = np.where(draw < 0.80, target, 1 - target)
        mine = np.where((draw < 0.70) | (draw > 0.95), target, 1 - target)
        statistics = [statistic_of(Truth("binary", target), np.clip(label, 0.1, 0.9)) for label in (mine, theirs)]
        values = [statistic(np.ones((1, rows)))[0, column] for statistic in statistics]
        draws = [part[:, column] for part in bootstrap(statistics, rows, rows, rng, resamples=500)]
        found = difference_estimate(
            METRICS["accuracy"], float(values[0] - values[1]), draws[0] - draws[1], rows, 0.95, is_same=False
        )
        passed += found.low is not None and found.low >= -margin
    assert passed <= binom.ppf(0.999, repeats, 0.03)
