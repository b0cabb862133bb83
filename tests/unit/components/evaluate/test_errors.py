# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from components.evaluate.metrics import statistic_of, supports, values_of
from components.evaluate.truth import Truth, Units


def test_forecast_metrics_are_what_their_definitions_say() -> None:
    target, score = np.array([10.0, 20.0, -10.0]), np.array([12.0, 17.0, -10.0])
    found = values_of(Truth("forecast", target, scale=np.array([2.0, 1.0, 4.0])), score)
    assert found["mase"] == pytest.approx((1.0 + 3.0 + 0.0) / 3)
    assert found["wape"] == pytest.approx(5 / 40)
    assert found["rmse"] == pytest.approx(np.sqrt(13 / 3))
    assert found["mae"] == pytest.approx(5 / 3)


def test_rows_without_a_scale_take_no_part_in_mase_alone() -> None:
    truth = Truth("forecast", np.array([10.0, 20.0]), scale=np.array([np.nan, 1.0]))
    found = values_of(truth, np.array([12.0, 17.0]))
    assert (found["mase"], found["mae"]) == (3.0, 2.5)
    assert (supports(truth, truth.target)["mase"], supports(truth, truth.target)["mae"]) == (1, 2)


def test_metrics_that_divide_by_nothing_are_undefined() -> None:
    found = values_of(Truth("forecast", np.zeros(3), scale=np.full(3, np.nan)), np.ones(3))
    assert np.isnan([found["mase"], found["wape"]]).all()
    assert found["mae"] == 1.0


def test_a_block_that_is_drawn_twice_counts_twice() -> None:
    truth = Truth("forecast", np.zeros(3), blocks=Units(np.array([0, 0, 1]), 2))
    found = statistic_of(truth, np.array([1.0, 1.0, 4.0]), "block")(np.array([[2.0, 1.0], [0.0, 1.0]]))
    assert found[:, 3].tolist() == pytest.approx([8 / 5, 4.0])
