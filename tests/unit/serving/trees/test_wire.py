# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import AttributeProto, helper

from serving.trees.wire import MODES, Unknown, attribute, fields, floats, integer, ints, modes, text


def written(value: Any, of_type: int | None = None) -> tuple[str, memoryview]:
    """An attribute as ONNX's own library writes it, taken apart."""
    return attribute(memoryview(helper.make_attribute("given", value, attr_type=of_type).SerializeToString()))


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 300), max_size=50))
def test_ints_are_read_as_they_were_written(values: list[int]) -> None:
    name, value = written(values, AttributeProto.INTS)
    assert name == "given"
    assert ints(value).tolist() == values


@given(st.lists(st.floats(width=32), max_size=50))
def test_floats_are_read_as_they_were_written(values: list[float]) -> None:
    found = floats(written(values, AttributeProto.FLOATS)[1])
    np.testing.assert_array_equal(found, np.array(values, dtype=np.float32))
    assert found.flags.aligned


@given(st.lists(st.sampled_from(sorted(MODES)), max_size=50))
def test_modes_are_read_as_they_were_written(values: list[int]) -> None:
    _, value = written([MODES[code] for code in values], AttributeProto.STRINGS)
    assert modes(value).tolist() == values


@given(st.integers(0, 2**63 - 1), st.text(st.characters(codec="utf-8")))
def test_single_values_are_read_as_they_were_written(number: int, word: str) -> None:
    assert integer(written(number)[1]) == number
    assert text(written(word)[1]) == word


@pytest.mark.parametrize(
    ("read", "value"),
    [
        pytest.param(ints, [1.0], id="floats as ints"),
        pytest.param(floats, [1], id="ints as floats"),
        pytest.param(modes, ["LEAF", "BRANCH_EQ"], id="an unknown mode"),
        pytest.param(modes, ["LEAF", "\1"], id="a mode that looks like a code"),
        pytest.param(modes, [""], id="an empty mode"),
        pytest.param(integer, "1", id="a string as an integer"),
        pytest.param(text, 1, id="an integer as a string"),
    ],
)
def test_a_value_of_another_type_is_unknown(read: Callable[[memoryview], Any], value: Any) -> None:
    with pytest.raises(Unknown):
        read(written(value)[1])


@pytest.mark.parametrize("read", [ints, floats, modes, integer, text])
@given(data=st.binary(max_size=40), of_type=st.integers(0, 8))
def test_bytes_of_any_kind_are_read_or_unknown(read: Callable[[memoryview], Any], data: bytes, of_type: int) -> None:
    with suppress(Unknown):
        read(memoryview(data + bytes([0xA0, 0x01, of_type])))


def test_packed_ints_are_unknown() -> None:
    packed = bytes([0x42, 2, 1, 2, 0xA0, 0x01, 7])
    with pytest.raises(Unknown):
        ints(memoryview(packed))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x0a", id="no length"),
        pytest.param(b"\x0a\x05abc", id="cut off"),
        pytest.param(b"\x08" + b"\xff" * 11, id="a number without end"),
        pytest.param(b"\x0d\x00\x00\x00\x00", id="a field of fixed size"),
        pytest.param(b"\x0b", id="a group"),
    ],
)
def test_a_message_that_cannot_be_read_is_unknown(data: bytes) -> None:
    with pytest.raises(Unknown):
        list(fields(memoryview(data)))


def test_an_attribute_begins_with_its_name() -> None:
    for data in (b"", b"\x18\x01", b"\x0a\x80\x01" + b"x" * 128):
        with pytest.raises(Unknown, match="without a name"):
            attribute(memoryview(data))
