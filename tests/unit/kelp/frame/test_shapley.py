# SPDX-License-Identifier: Apache-2.0
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelp.frame.compute import Matrix
from kelp.frame.shapley import Floats, Score, estimate, standard_error


def tangled(rows: Matrix) -> Floats:
    """A score of six features that work together."""
    x = rows.astype(np.float64)
    return np.asarray(x[:, 0] * x[:, 1] + np.tanh(x[:, 2] - x[:, 3]) + 3 * (x[:, 4] > 0) * x[:, 0] + x[:, 5])


def shapley_values(score: Score, row: Matrix, reference: Matrix) -> Floats:
    """The definition: every feature, every subset of the others, every reference row."""
    width = len(row)

    def worth(subset: tuple[int, ...]) -> float:
        mixed = reference.copy()
        mixed[:, list(subset)] = row[list(subset)]
        return float(score(mixed).mean())

    values = np.zeros(width)
    for feature in range(width):
        others = [other for other in range(width) if other != feature]
        for size in range(width):
            for subset in combinations(others, size):
                gain = worth((*subset, feature)) - worth(subset)
                values[feature] += gain / (width * comb(width - 1, size))
    return values


def some_rows(seed: int, rows: int, width: int = 6) -> Matrix:
    return np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)


def test_estimates_are_within_their_errors_of_the_definition() -> None:
    row, reference = some_rows(1, 1)[0], some_rows(2, 20)
    found = estimate(tangled, row, reference, pairs=4_000, seed=3)
    expected = shapley_values(tangled, row, reference)
    errors = standard_error(found.draws)
    assert np.abs(found.draws.mean(axis=0) - expected).max() < 0.05
    assert (np.abs(found.draws.mean(axis=0) - expected) <= 4 * errors + 1e-9).all()


def test_stated_error_is_the_spread_over_seeds() -> None:
    row, reference = some_rows(1, 1)[0], some_rows(2, 5_000)
    runs = [estimate(tangled, row, reference, pairs=50, seed=seed).draws for seed in range(60)]
    spread = np.std([draws.mean(axis=0) for draws in runs], axis=0)
    stated = np.mean([standard_error(draws) for draws in runs], axis=0)
    np.testing.assert_allclose(stated, spread, rtol=0.35)


@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 9), width=st.integers(1, 6), pairs=st.integers(2, 9))
def test_base_and_contributions_add_up_to_the_score(seed: int, rows: int, width: int, pairs: int) -> None:
    def score(matrix: Matrix) -> Floats:
        return tangled(np.pad(matrix, ((0, 0), (0, 6 - width))))

    row, reference = some_rows(seed, 1, width)[0], some_rows(seed + 1, rows, width)
    found = estimate(score, row, reference, pairs=pairs, seed=seed)
    assert found.base + found.draws.mean(axis=0).sum() == pytest.approx(float(score(row[None])[0]), abs=1e-9)


def test_a_feature_with_the_same_value_everywhere_contributes_nothing_and_costs_nothing() -> None:
    row, reference = some_rows(1, 1)[0], some_rows(2, 30)
    reference[:, 2:] = row[2:]
    asked: list[int] = []

    def counted(rows: Matrix) -> Floats:
        asked.append(len(rows))
        return tangled(rows)

    found = estimate(counted, row, reference, pairs=10, seed=0)
    assert (found.draws[:, 2:] == 0).all()
    assert sum(asked) == 1 + 10 + 2 * 10 * 2


def test_the_same_seed_gives_the_same_bytes_and_few_reference_rows_are_all_drawn() -> None:
    row, reference = some_rows(1, 1)[0], some_rows(2, 5)
    one, two = (estimate(tangled, row, reference, pairs=10, seed=7) for _ in range(2))
    assert one.draws.tobytes() == two.draws.tobytes()
    assert one.base == pytest.approx(float(tangled(reference).mean()))
