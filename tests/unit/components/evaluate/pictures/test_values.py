# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.stats import binom

from components.evaluate.pictures.values import LEVEL, MIN_BAND, POINTS, band, histogram, points, tenths


@pytest.mark.parametrize(("rows", "parts"), [pytest.param(3, 3, id="few"), pytest.param(105, 10, id="many")])
def test_tenths_cover_every_row_in_order_of_prediction(rows: int, parts: int) -> None:
    score = np.random.default_rng(1).normal(size=rows)
    found = tenths(score * 2, score)
    assert len(found) == parts
    assert sum(part.rows for part in found) == rows
    assert [part.observed for part in found] == pytest.approx([2 * part.predicted for part in found])
    assert sorted(part.predicted for part in found) == [part.predicted for part in found]


def test_the_histogram_counts_every_error_and_outliers_apart() -> None:
    target = np.concatenate([np.linspace(-1, 1, 998), [500.0, -900.0]])
    found = histogram(target, np.zeros(1_000))
    assert sum(found.counts) + found.below + found.above == 1_000
    assert found.edges[-1] < 2
    assert found.above >= 1 <= found.below


def test_errors_that_are_all_equal_still_have_a_bar() -> None:
    found = histogram(np.full(50, 3.0), np.full(50, 1.0))
    assert (found.edges[0], found.edges[-1], sum(found.counts)) == (1.5, 2.5, 50)


@pytest.mark.parametrize("rows", [pytest.param(7, id="few"), pytest.param(5_000, id="many")])
def test_points_are_few_and_spread_over_the_predictions(rows: int) -> None:
    score = np.random.default_rng(2).permutation(rows).astype(np.float64)
    found = points(score + 1, score)
    assert len(found.predicted) == min(rows, POINTS)
    assert (found.predicted[0], found.predicted[-1]) == (0.0, rows - 1)
    assert [value - 1 for value in found.observed] == list(found.predicted)


def test_the_band_holds_new_rows_as_often_as_it_says() -> None:
    rng, inside, repeats = np.random.default_rng(4), 0, 400
    for _ in range(repeats):
        errors = rng.exponential(size=81)
        found = band(errors[:-1], np.zeros(80), 0.95, rng)
        assert found is not None
        assert (found.fitted, found.coverage.support) == (40, 40)
        inside += found.low <= errors[-1] <= found.high
    # 40 rows and one rank at each end: 39 of 41 places, a chance of 95.1 %.
    assert inside / repeats >= LEVEL
    assert inside <= binom.ppf(0.9999, repeats, 39 / 41)


def test_the_band_is_checked_on_rows_it_was_not_chosen_on() -> None:
    rng = np.random.default_rng(5)
    found = band(rng.normal(size=4_000), np.zeros(4_000), 0.95, rng)
    assert found is not None
    assert found.coverage.value == pytest.approx(LEVEL, abs=0.02)
    assert (found.low, found.high) == pytest.approx((-1.645, 1.645), abs=0.15)


def test_too_few_rows_have_no_band() -> None:
    assert band(np.zeros(MIN_BAND - 1), np.zeros(MIN_BAND - 1), 0.95, np.random.default_rng(0)) is None
