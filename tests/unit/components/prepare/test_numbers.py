# SPDX-License-Identifier: Apache-2.0
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.prepare.numbers import Fit, fit_numbers
from kelp.spec import Column

FLOATS = st.floats(-1e300, 1e300, allow_nan=False)


def fitted(values: list[float | None], **declared: Any) -> Fit:
    """The fit of one column, read in two batches, whose rows are all of the training part but the last."""
    cells = pa.array([*values, 1e99], pa.float64())
    batches = [pa.record_batch([cells[:3]], ["x"]), pa.record_batch([cells[3:]], ["x"])]
    contract = Column.model_validate({"type": "float", **declared})
    is_training = np.arange(len(cells)) < len(values)
    return fit_numbers(lambda names: batches, {"x": contract}, is_training)["x"]


@given(st.lists(FLOATS, min_size=1), st.integers(1, 4_999))
def test_the_limits_of_clip_are_values_at_equal_ranks_from_both_ends(values: list[float], share: int) -> None:
    fit = fitted(list(values), clip=f"{share / 100}%")
    ordered = sorted(values)
    rank = math.floor(round(share / 1e4, 8) * (len(values) - 1))
    assert (fit.low, fit.high) == (ordered[rank], ordered[-1 - rank])


@given(st.lists(FLOATS, min_size=1), st.randoms())
def test_the_mean_is_exact_in_any_order(values: list[float], random: Any) -> None:
    shuffled = random.sample(values, len(values))
    expected = math.fsum(values) / len(values)
    assert fitted(list(values), missing="mean").fill == fitted(shuffled, missing="mean").fill == expected


@given(st.lists(st.floats(-1e100, 1e100), min_size=1))
def test_the_largest_value_is_just_below_the_most_units(values: list[float]) -> None:
    unit = fitted(list(values)).unit
    largest = max(map(abs, values))
    assert math.frexp(unit)[0] == 0.5
    if largest > 1e-290:
        assert 2**39 <= largest / unit < 2**40


@pytest.mark.parametrize("values", [[], [None, math.nan], [0.0, -0.0]], ids=["nothing", "missing", "zeros"])
def test_without_a_size_the_unit_is_one(values: list[float | None]) -> None:
    assert fitted(values).unit == 1.0


def test_null_and_nan_are_missing_and_other_parts_are_not_looked_at() -> None:
    fit = fitted([None, 4.0, math.nan, 1.0, 2.0])
    assert (fit.present, fit.least, fit.greatest, fit.fill) == (3, 1.0, 4.0, 2.0)
