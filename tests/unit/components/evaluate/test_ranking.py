# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from components.evaluate.metrics import supports, values_of
from components.evaluate.ranking import entity_gains
from components.evaluate.truth import Truth, Units

AProblem = Callable[..., Any]


def a_truth(target: list[int], of_row: list[int]) -> Truth:
    units = Units(np.array(of_row), max(of_row) + 1)
    return Truth("binary", np.array(target, dtype=np.float64), entities=units)


@pytest.mark.parametrize("decimals", [pytest.param(9, id="distinct"), pytest.param(1, id="ties")])
def test_ndcg_of_each_entity_equals_scikit_learn(decimals: int) -> None:
    rng = np.random.default_rng(decimals)
    of_row, target = rng.integers(0, 20, 400), (rng.random(400) < 0.2).astype(np.float64)
    score = np.round(rng.random(400), decimals)
    gains, has_gain = entity_gains(Truth("binary", target, entities=Units(of_row, 20)), score)
    for entity in range(20):
        rows = of_row == entity
        if target[rows].any():
            assert gains[entity] == pytest.approx(ndcg_score([target[rows]], [score[rows]], k=10))
        assert has_gain[entity] == target[rows].any()


def test_entities_without_a_positive_or_with_one_row_do_not_count() -> None:
    truth, score = a_truth([1, 0, 0, 0, 1], [0, 0, 1, 1, 2]), np.array([0.9, 0.1, 0.8, 0.7, 0.5])
    assert values_of(truth, score)["ndcg_at_10"] == 1.0
    assert supports(truth, score)["ndcg_at_10"] == 1


def test_a_score_that_tells_nothing_apart_gets_the_average_over_all_orders() -> None:
    found = values_of(a_truth([1, 0], [0, 0]), np.array([0.5, 0.5]))["ndcg_at_10"]
    assert found == pytest.approx((1 + 1 / np.log2(3)) / 2)


def test_ndcg_is_judged_by_entity(a_problem: AProblem, tmp_path: Path) -> None:
    gates = ({"metric": "ndcg_at_10", "atLeast": 0.5}, {"metric": "ndcg_at_10", "notWorseThan": "dummy"})
    found = a_problem(gates=gates, entities=100).evaluate(tmp_path / "evaluation")
    assert [gate.result for gate in found.gates] == ["pass", "pass"]
    estimate = found.gates[0].estimate
    assert estimate is not None
    assert (estimate.unit, 50 < estimate.support <= 100) == ("entities", True)
    assert "a positive" in found.document["notes"]["ndcg_at_10"]


def test_without_an_entity_a_gate_on_ndcg_is_undecided_with_the_reason(a_problem: AProblem, tmp_path: Path) -> None:
    gates = ({"metric": "ndcg_at_10", "atLeast": 0.5}, {"metric": "ndcg_at_10", "notWorseThan": "dummy"})
    found = a_problem(gates=gates).evaluate(tmp_path / "evaluation")
    assert [gate.result for gate in found.gates] == ["undecided", "undecided"]
    assert all("no data.entity" in gate.why for gate in found.gates)
