# SPDX-License-Identifier: Apache-2.0
"""Tensors as bytes, in V2's binary extension: little-endian numbers, and strings each after its length in 4 bytes."""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelp.errors import RequestError

_NUMPY_TYPES = {
    "BOOL": "?",
    "INT8": "<i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "UINT8": "<u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "FP32": "<f4",
    "FP64": "<f8",
}


def binary_data(datatype: str, content: bytes, place: str) -> list[str] | NDArray[Any]:
    """Read the bytes of one tensor, flat.

    Raises:
        RequestError: the datatype is unknown, or the bytes are no whole number of values.
    """
    if datatype == "BYTES":
        return _strings(content, place)
    if datatype not in _NUMPY_TYPES:
        raise RequestError(f"expected one of {', '.join(_NUMPY_TYPES)}, BYTES, found {datatype}", place=place)
    size = np.dtype(_NUMPY_TYPES[datatype]).itemsize
    if len(content) % size:
        raise RequestError(f"expected {size} bytes a value, found {len(content)} bytes in all", place=f"{place}.data")
    return np.frombuffer(content, dtype=_NUMPY_TYPES[datatype])


def binary_output(datatype: str, values: Sequence[Any]) -> bytes:
    """Write the bytes of one FP64 or BYTES tensor."""
    if datatype == "BYTES":
        written = {value: _counted(value.encode()) for value in set(values)}  # labels: few, and each many times
        return b"".join([written[value] for value in values])
    return np.array(values, dtype=_NUMPY_TYPES[datatype]).tobytes()


def _counted(text: bytes) -> bytes:
    return struct.pack("<I", len(text)) + text


def _strings(content: bytes, place: str) -> list[str]:
    texts: list[str] = []
    start = 0
    while start < len(content):
        if len(content) - start < 4:
            raise RequestError("expected 4 bytes of length before every string", place=f"{place}.data[{len(texts)}]")
        (size,) = struct.unpack_from("<I", content, start)
        start += 4
        text = content[start : start + size]
        if len(text) != size:
            raise RequestError(
                f"expected a string of {size} bytes, found {len(text)}", place=f"{place}.data[{len(texts)}]"
            )
        try:
            texts.append(text.decode())
        except UnicodeDecodeError as error:
            raise RequestError(f"expected UTF-8: {error}", place=f"{place}.data[{len(texts)}]") from error
        start += size
    return texts
