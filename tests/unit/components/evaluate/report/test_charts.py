# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.evaluate.report.charts import ends_of, tick_text, ticks_of

NUMBERS = st.floats(-1e9, 1e9, allow_nan=False)


@given(st.tuples(NUMBERS, NUMBERS).filter(lambda ends: ends[1] - ends[0] > 1e-3))
def test_ticks_are_a_few_and_inside(ends: tuple[float, float]) -> None:
    found = ticks_of(ends)
    margin = 1e-6 * (ends[1] - ends[0])
    assert 2 <= len(found) <= 7
    assert all(ends[0] - margin <= tick <= ends[1] + margin for tick in found)


def test_ticks_are_round() -> None:
    assert ticks_of((0.0, 1.0)) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert ticks_of((-3.2, 7.9)) == [0.0, 5.0]
    assert ticks_of((120.0, 980.0)) == [200.0, 400.0, 600.0, 800.0]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(0.2, "0.2", id="small"),
        pytest.param(1500.0, "1500", id="thousands"),
        pytest.param(-25_000.0, "-25k", id="ten-thousands"),
        pytest.param(2.5e6, "2.5M", id="millions"),
        pytest.param(3e9, "3G", id="billions"),
    ],
)
def test_large_numbers_are_written_shortly(value: float, text: str) -> None:
    assert tick_text(value) == text


def test_a_range_with_zero_starts_at_it() -> None:
    assert ends_of([2.0, 4.0], has_zero=True) == (0.0, 4.16)
    assert ends_of([2.0, 2.0]) == (1.96, 2.04)
