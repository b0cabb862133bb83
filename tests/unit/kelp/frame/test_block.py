# SPDX-License-Identifier: Apache-2.0
"""The block accepts a subset of what columns accept one by one, with the same numbers."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelp.errors import RequestError
from kelp.frame.block import NumberBlock
from kelp.frame.parts import RawColumn
from kelp.frame.rows import instance_cell
from kelp.frame.values import column_from_values

COLUMNS = (
    RawColumn(name="amount", type="float", nullable=True, min=0),
    RawColumn(name="items", type="int", nullable=True, max=1000),
    RawColumn(name="name", type="string", nullable=True),
    RawColumn(name="rate", type="float", nullable=True),
)
BLOCK = NumberBlock(COLUMNS)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-10, 2000),
    st.sampled_from([2**53, 2**53 + 1, 10**400, -0.0, 1e39, 0.5]),
    st.floats(),
    st.text(max_size=2),
)


def one_by_one(rows: list[dict[str, Any]]) -> dict[str, Any]:
    numbers = [column for column in COLUMNS if column.name in BLOCK.names]
    return {
        column.name: column_from_values(column, [row[column.name] for row in rows], lambda row: instance_cell("x", row))
        for column in numbers
    }


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(BLOCK.names, VALUES)), min_size=1, max_size=3))
def test_block_accepts_nothing_that_a_column_refuses(rows: list[dict[str, Any]]) -> None:
    for found in (BLOCK.of_objects(rows), BLOCK.of_columns([[row[name] for row in rows] for name in BLOCK.names])):
        if found:
            for name, values in one_by_one(rows).items():
                np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("missing", [None, 2.5])
def test_good_rows_are_accepted_at_once(rows: int, missing: float | None) -> None:
    good = [{"amount": 12.5, "items": 3, "rate": missing, "name": "x"}] * rows
    found = BLOCK.of_objects(good)
    assert found is not None
    assert list(found) == ["amount", "items", "rate"]
    for name, values in one_by_one(good).items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("change", [{"amount": -1}, {"items": 1.5}, {"items": 1001}, {"rate": True}, {"rate": "1"}])
@pytest.mark.parametrize("rows", [1, 3])
def test_wrong_value_is_left_to_the_columns(change: dict[str, Any], rows: int) -> None:
    bad = [{"amount": 12.5, "items": 3, "rate": 1.0}] * (rows - 1) + [
        {"amount": 12.5, "items": 3, "rate": 1.0} | change
    ]
    assert BLOCK.of_objects(bad) is None
    with pytest.raises(RequestError):
        one_by_one(bad)


def test_absent_column_is_left_to_the_columns() -> None:
    assert BLOCK.of_objects([{"amount": 1.0, "items": 1}]) is None
