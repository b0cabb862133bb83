# SPDX-License-Identifier: Apache-2.0
"""Durations, percents and quantities: what a person may write, and that it is written back the same."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from kelp.spec.types import Quantity, format_duration, format_percent, parse_duration, parse_percent

quantities = TypeAdapter(Quantity)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("50ms", timedelta(milliseconds=50), id="milliseconds"),
        pytest.param("90s", timedelta(seconds=90), id="seconds"),
        pytest.param("60m", timedelta(hours=1), id="minutes"),
        pytest.param("24h", timedelta(days=1), id="hours"),
        pytest.param("7d", timedelta(days=7), id="days"),
        pytest.param("0m", timedelta(0), id="none"),
        pytest.param("999999999d", timedelta(days=999_999_999), id="the longest there is"),
    ],
)
def test_a_duration_is_a_whole_number_and_a_unit(text: str, value: timedelta) -> None:
    assert parse_duration(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "24",
        24,
        24.0,
        None,
        True,
        "7w",
        "1.5h",
        "-1h",
        "1h30m",
        "24 h",
        "h",
        "",
        "1H",
        "٣d",
        "24h\n",
        "1000000000d",
        "01d",
    ],
)
def test_anything_else_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="expected a whole number with a unit of ms, s, m, h or d, such as 24h"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=999_999_999), st.sampled_from(["ms", "s", "m", "h", "d"]))
def test_a_duration_is_written_back_as_the_same_value(number: int, unit: str) -> None:
    value = parse_duration(f"{number}{unit}")
    written = format_duration(value)
    assert parse_duration(written) == value
    assert len(written) <= len(f"{number}{unit}") + 1  # 0ms is 0d, 60m is 1h, never longer but for a zero


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("0%", 0.0, id="none"),
        pytest.param("20%", 0.2, id="a fifth"),
        pytest.param("99.9%", 0.999, id="decimals"),
        pytest.param("0.000001%", 1e-8, id="the smallest"),
        pytest.param("100%", 1.0, id="all"),
        pytest.param("100.0%", 1.0, id="all with a zero"),
    ],
)
def test_a_percent_is_a_fraction(text: str, value: float) -> None:
    assert parse_percent(text) == value


@pytest.mark.parametrize(
    "text",
    [0.2, 0, 1, 20, None, True, "0.2", "20", "101%", "100.1%", "-1%", "1e1%", "%", "20 %", "20%\n", "٢%", "007%"],
)
def test_anything_else_is_no_percent(text: object) -> None:
    with pytest.raises(ValueError, match="expected a percentage from 0% to 100%, such as 20%"):
        parse_percent(text)


@given(st.integers(min_value=0, max_value=100_000_000))
def test_a_percent_is_written_back_as_the_same_value(millionths: int) -> None:
    value = parse_percent(f"{millionths // 1_000_000}.{millionths % 1_000_000:06}%")
    assert parse_percent(format_percent(value)) == value
    assert format_percent(parse_percent(format_percent(value))) == format_percent(value)


@pytest.mark.parametrize("text", ["500m", "2", "4Gi", "1.5", "0", "10k", 2, 0.5])
def test_a_quantity_is_text_as_kubernetes_reads_it(text: object) -> None:
    assert quantities.validate_python(text) == str(text)


@pytest.mark.parametrize("text", ["-1", "4GB", "1e3", "", "4 Gi", "two", None, True, -1, 1e30, "1\n", ["1"]])
def test_anything_else_is_no_quantity(text: object) -> None:
    with pytest.raises(ValidationError, match="expected a Kubernetes quantity, such as 500m or 4Gi"):
        quantities.validate_python(text)
