# SPDX-License-Identifier: Apache-2.0
"""Forecasts from a history: rows with the target are observations, the others ask for it."""

from typing import Any

import numpy as np
import pytest

from kelp.errors import RequestError
from kelp.frame.history import History
from tests.unit.kelp.frame.windowed import columns_of, demand

Rows = list[dict[str, Any]]


def sold(day: float, units: float | None = None, *, store: int = 7, product: str | None = "tea") -> dict[str, Any]:
    return {"day": day, "store": store, "product": product, "units": units}


def answered(history: History, rows: Rows) -> dict[str, list[float]]:
    columns = columns_of(history.transform, rows)
    return {name: values.tolist() for name, values in history.answer(columns, len(rows)).items()}


def test_observations_are_answered_and_later_rows_build_on_them() -> None:
    found = answered(History(demand()), [sold(0, 5), sold(10, 6), sold(20), sold(20, 9), sold(30)])
    np.testing.assert_array_equal(found["lag10000000"], [np.nan, 5, 6, 6, 9])
    np.testing.assert_array_equal(found["lag20000000"], [np.nan, np.nan, 5, 5, 6])


def test_observation_that_is_sent_again_takes_the_place_of_the_first() -> None:
    history = History(demand())
    answered(history, [sold(0, 5), sold(10, 6), sold(20, 7)])
    found = answered(history, [sold(10, 60), sold(20, 7), sold(20), sold(30)])
    np.testing.assert_array_equal(found["lag10000000"], [5, 60, 60, 7])
    np.testing.assert_array_equal(found["lag20000000"], [np.nan, 5, 5, 60])
    assert history.facts()["events"] == 3
    assert [row["number"] for row in history.to_table().to_pylist()] == [20, 240, 28]


@pytest.mark.parametrize(
    ("rows", "row", "message"),
    [
        pytest.param(
            [sold(0, 5), sold(10), sold(10.000001)],
            2,
            "expected a time up to 1970-01-01T00:00:10Z, the horizon after the newest observation of store=7,"
            " product=tea, found 1970-01-01T00:00:10.000001Z",
            id="beyond-the-horizon",
        ),
        pytest.param([sold(20), sold(10, 6)], 0, "found 1970-01-01T00:00:20Z", id="observed-only-afterwards"),
        pytest.param([sold(0, store=8)], 0, "no history of store=8, product=tea", id="another-store"),
        pytest.param([sold(0, product=None)], 0, "no history of store=7, product=null", id="no-product"),
        pytest.param([sold(253402300799)], 0, "found 9999-12-31T23:59:59Z", id="end-of-time"),
    ],
)
def test_row_that_cannot_be_forecast_is_refused_and_nothing_is_taken_in(rows: Rows, row: int, message: str) -> None:
    history = History(demand())
    answered(history, [sold(-1, 3), sold(0, 4)])
    with pytest.raises(RequestError) as caught:
        answered(history, rows)
    assert message in str(caught.value)
    assert caught.value.place == f"instances[{row}].day"
    assert "with the target" in caught.value.fix
    assert history.facts()["events"] == 2


def test_observation_may_be_of_any_time_and_series() -> None:
    history = History(demand())
    answered(history, [sold(1000, 5), sold(0, 5), sold(0, 5, store=8), sold(0, 5, product=None)])
    assert answered(history, [sold(1010), sold(10, store=8)])["lag10000000"] == [5, 5]


def test_private_key_is_not_said() -> None:
    transform = demand()
    private = [column.model_copy(update={"private": column.name == "product"}) for column in transform.columns]
    history = History(transform.model_copy(update={"columns": tuple(private)}))
    with pytest.raises(RequestError, match=r"no history of store=7, product=\(private\)$"):
        answered(history, [sold(0)])
