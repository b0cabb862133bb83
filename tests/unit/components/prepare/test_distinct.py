# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.prepare import distinct
from components.prepare.distinct import Remembered, text_of


@given(st.lists(st.lists(st.none() | st.text(max_size=2), max_size=20), max_size=6))
def test_every_value_has_its_answer_however_the_batches_come(batches: list[list[str | None]]) -> None:
    function = Remembered(lambda value: f"<{value}>")
    for values in batches:
        expected = [None if value is None else f"<{value}>" for value in values]
        assert function(pa.array(values, pa.string())).to_pylist() == expected


def remembering(asked: list[Any]) -> Remembered:
    """The value itself; what is asked for is noted."""

    def function(value: Any) -> Any:
        asked.append(value)
        return value

    return Remembered(function)


def test_a_value_that_comes_again_is_not_computed_again() -> None:
    asked: list[str] = []
    function = remembering(asked)
    for values in (["a", "b", "a"], ["b", "c"]):
        function(pa.array(values))
    assert asked == ["a", "b", "c"]


def test_what_is_remembered_is_bounded() -> None:
    asked: list[int] = []
    function = remembering(asked)
    many = pa.array(range(distinct.MOST_REMEMBERED))
    for values in (pa.array([-1]), many, pa.array([-1]), many):
        assert function(values).to_pylist() == values.to_pylist()
    assert asked.count(-1) == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(7, "7", id="int"),
        pytest.param(True, "true", id="bool"),
        pytest.param(0.1, "0.1", id="float"),
        pytest.param(-0.0, "0.0", id="minus-zero"),
        pytest.param("größe", "größe", id="string"),
    ],
)
def test_the_text_of_a_value(value: object, text: str) -> None:
    assert text_of(value) == text
