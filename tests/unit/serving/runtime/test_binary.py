# SPDX-License-Identifier: Apache-2.0
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelp.errors import RequestError
from serving.runtime.binary import binary_data, binary_output


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_strings_round_trip(texts: list[str]) -> None:
    assert binary_data("BYTES", binary_output("BYTES", texts), "inputs[0]") == texts


@given(st.lists(st.floats(allow_nan=False)))
def test_numbers_round_trip(numbers: list[float]) -> None:
    found = binary_data("FP64", binary_output("FP64", numbers), "inputs[0]")
    assert list(found) == numbers


def test_numbers_are_little_endian() -> None:
    found = binary_data("INT32", b"\x01\0\0\0\xff\xff\xff\xff", "inputs[0]")
    np.testing.assert_array_equal(found, [1, -1])


@pytest.mark.parametrize(
    ("datatype", "content", "message"),
    [
        pytest.param("FP99", b"", "expected one of BOOL", id="unknown-datatype"),
        pytest.param("FP32", b"\0" * 5, r"inputs\[0\]\.data: expected 4 bytes a value", id="half-a-value"),
        pytest.param("BYTES", b"\0\0\0", r"data\[0\]: expected 4 bytes of length", id="half-a-length"),
        pytest.param(
            "BYTES", struct.pack("<I", 0) + struct.pack("<I", 9) + b"abc", r"data\[1\]", id="string-too-short"
        ),
        pytest.param("BYTES", struct.pack("<I", 2**32 - 1), "found 0", id="huge-length"),
        pytest.param("BYTES", struct.pack("<I", 1) + b"\xff", "expected UTF-8", id="not-utf8"),
    ],
)
def test_wrong_bytes_are_refused_by_name(datatype: str, content: bytes, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        binary_data(datatype, content, "inputs[0]")
