# SPDX-License-Identifier: Apache-2.0
"""V2 requests: tensors become raw columns or, from the one tensor `rows`, a matrix that is already transformed."""

import struct
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import chain
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kelp.errors import RequestError
from kelp.frame.block import NumberColumns
from kelp.frame.parts import FLOAT32_MAX
from kelp.frame.transform import Column, Matrix, RawColumn, RawType, Transform
from kelp.frame.values import column_from_values, described

ROWS = "rows"
"""Name of the tensor that holds the transformed matrix."""

_INTEGERS = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
_DATATYPES: dict[RawType, tuple[str, ...]] = {
    "int": (*_INTEGERS, "FP32", "FP64"),
    "float": (*_INTEGERS, "FP32", "FP64"),
    "bool": ("BOOL",),
    "string": ("BYTES",),
    "category": ("BYTES",),
    "text": ("BYTES",),
    "timestamp": ("INT32", "INT64", "UINT32", "UINT64", "FP64", "BYTES"),  # FP32 is wrong by up to a minute
}
_ALL_COLUMNS = f"send one tensor per raw column, or the one tensor `{ROWS}`"
_ALL_WINDOWS = "send every window, or none"
_FLOATS = frozenset(("FP32", "FP64"))
_LISTS = frozenset((list,))
_NUMBERS = {int, float, type(None)}


class Tensor(NamedTuple):
    """One entry of `inputs`: the fields are there, and what they mean is not checked yet.

    `data` is what a JSON parser gives, flat or nested in rows, or a flat array read from the binary form; strings
    are str in both.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: list[Any] | NDArray[Any]


def batch_from_tensors(transform: Transform, tensors: Sequence[Tensor]) -> dict[str, Column] | Matrix:
    """Convert the tensors of a request, whichever of the two forms it has.

    A single tensor called `rows` is the matrix, unless the model declares a raw column or window of that name.

    Raises:
        RequestError: as `columns_from_tensors` and `matrix_from_tensor` do.
    """
    if len(tensors) == 1 and tensors[0].name == ROWS and ROWS not in transform.declared:
        return matrix_from_tensor(transform, tensors[0])
    return columns_from_tensors(transform, tensors)


def matrix_from_tensor(transform: Transform, tensor: Tensor) -> Matrix:
    """Convert the tensor `rows`: FP32 or FP64, shape [n, width], n >= 1, in the order of `transform.features`.

    NaN and null are missing and become the feature's `fill`.

    Returns:
        float32, shape (n, width), finite.

    Raises:
        RequestError: another datatype or shape, data that does not fit the shape, or a value beyond float32.
    """
    place = f"inputs.{tensor.name}"
    if tensor.datatype not in ("FP32", "FP64"):
        raise RequestError(f"expected FP32 or FP64, found {tensor.datatype}", place=f"{place}.datatype")
    if len(tensor.shape) != 2 or tensor.shape[0] < 1 or tensor.shape[1] != transform.width:
        raise RequestError(
            f"expected [n, {transform.width}] with n >= 1, found {list(tensor.shape)}",
            place=f"{place}.shape",
            fix="the model's features are: " + ", ".join(feature.name for feature in transform.features),
        )
    values = _plain_numbers(tensor.data, prod(tensor.shape))
    if values is None:
        try:
            with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
                values = np.asarray(_flat(tensor), dtype=np.float64)  # None becomes NaN
        except OverflowError as error:
            raise RequestError("expected numbers within the range of float64", place=f"{place}.data") from error
    values = values.reshape(tensor.shape)
    sizes = np.abs(values)
    if sizes.max() <= FLOAT32_MAX:  # false as well if one is missing
        return values.astype(np.float32)
    is_beyond = sizes > FLOAT32_MAX
    if is_beyond.any():
        row, position = np.argwhere(is_beyond)[0]
        raise RequestError(
            f"expected a number within the range of float32, found {described(float(values[row, position]))}",
            place=f"{place}[{row}].{transform.features[position].name}",
        )
    matrix = values.astype(np.float32)
    transform.fill(matrix)
    return matrix


def columns_from_tensors(transform: Transform, tensors: Sequence[Tensor]) -> dict[str, Column]:
    """Convert one tensor per raw column, each of shape [n] or [n, 1] with the same n >= 1.

    Null, NaN and, for BYTES, the empty string are missing. The tensor of an optional column may be left out. Either
    no window is sent, or every one as a tensor of its name. Tensors that are not declared are ignored.

    Returns:
        Every declared column, and every window if they were sent, each of shape (n,).

    Raises:
        RequestError: a tensor is absent, comes twice, or does not fit its column; the place names it.
    """
    block = _all_numbers(transform, tensors)
    if block is not None:
        return block
    by_name = _by_name(tensors)
    expected = transform.columns
    if any(window.name in by_name for window in transform.windows):
        expected += transform.window_columns
    numbers = _numbers_at_once(transform, by_name)
    columns: dict[str, Column] = {}
    for column in expected:
        if column.name in by_name:
            ready = numbers.get(column.name) if numbers is not None else None
            columns[column.name] = _column(column, by_name[column.name]) if ready is None else ready
        elif not column.optional:
            raise RequestError(
                f"expected a tensor of {' or '.join(_DATATYPES[column.type])}, found none",
                place=f"inputs.{column.name}",
                fix=_ALL_WINDOWS if column in transform.window_columns else _ALL_COLUMNS,
            )
    rows = _row_count(columns)
    for column in expected:
        if column.name not in columns:
            columns[column.name] = column_from_values(column, [None] * rows, partial(tensor_cell, column.name))
    return columns


def _by_name(tensors: Sequence[Tensor]) -> dict[str, Tensor]:
    by_name = {tensor.name: tensor for tensor in tensors}
    if len(by_name) != len(tensors):
        twice = Counter(tensor.name for tensor in tensors).most_common(1)[0][0]
        raise RequestError("expected every tensor once, found two of this name", place=f"inputs.{twice}")
    return by_name


def _all_numbers(transform: Transform, tensors: Sequence[Tensor]) -> NumberColumns | None:
    """The columns of a request that is what most are: every column a number, sent in order; None for any other."""
    names, datatypes, shapes, data = zip(*tensors, strict=True)
    block, shape = transform.number_block, shapes[0]
    if names != block.names or len(names) != len(transform.columns) or len(shape) != 1 or not shape[0]:
        return None
    if shapes.count(shape) != len(names) or not _FLOATS.issuperset(datatypes):
        return None
    if not _LISTS.issuperset(map(type, data)) or set(map(len, data)) != set(shape):
        return None
    return block.of_columns(data)


def _numbers_at_once(transform: Transform, by_name: dict[str, Tensor]) -> NumberColumns | None:
    """The number columns, if every one came as flat JSON numbers of one length and is accepted; else None."""
    block = transform.number_block
    if not block.names or not by_name.keys() >= block.needed:
        return None
    (size,) = shape if len(shape := by_name[block.names[0]].shape) == 1 else (0,)
    columns: list[list[Any]] = []
    for name in block.names:
        _, datatype, found, data = by_name[name]
        if found != shape or datatype not in _FLOATS or type(data) is not list or len(data) != size:
            return None
        columns.append(data)
    return block.of_columns(columns) if size else None


def tensor_cell(column: str, row: int) -> str:
    """Name a value of a tensor in a message."""
    return f"inputs.{column}[{row}]"


def _row_count(columns: dict[str, Column]) -> int:
    if not columns:
        raise RequestError("expected a tensor of at least one raw column, found none", place="inputs")
    counts = {name: len(values) for name, values in columns.items()}
    first, rows = next(iter(counts.items()))
    for name, found in counts.items():
        if found != rows:
            raise RequestError(f"expected {rows} rows as in {first}, found {found}", place=f"inputs.{name}.shape")
    return rows


def _column(column: RawColumn, tensor: Tensor) -> Column:
    place = f"inputs.{tensor.name}"
    accepted = _DATATYPES[column.type]
    if tensor.datatype not in accepted:
        raise RequestError(f"expected {' or '.join(accepted)}, found {tensor.datatype}", place=f"{place}.datatype")
    if tensor.shape[1:] not in ((), (1,)) or not tensor.shape or tensor.shape[0] < 1:
        raise RequestError(f"expected [n] or [n, 1] with n >= 1, found {list(tensor.shape)}", place=f"{place}.shape")
    values = _flat(tensor)
    if isinstance(values, np.ndarray):
        values = values.tolist()
    if tensor.datatype == "BYTES":
        values = [None if value == "" else value for value in values]
    else:
        values = [None if value != value else value for value in values]  # NaN differs from itself
    return column_from_values(column, values, partial(tensor_cell, tensor.name))


def _plain_numbers(data: list[Any] | NDArray[Any], size: int) -> NDArray[Any] | None:
    """As many numbers as float64, if that is all that there is; None leaves it to `_flat` to say what there is.

    Packing is thrice as fast as an array of a list, and refuses null and text; true and false it takes for 1 and 0.
    """
    if not isinstance(data, list) or len(data) != size:
        return None
    try:
        values = np.frombuffer(_packer(size).pack(*data))
    except (struct.error, OverflowError):
        return None
    may_be_bools = ((values == 0) | (values == 1)).any()
    return None if may_be_bools and not _NUMBERS.issuperset(map(type, data)) else values


@lru_cache(maxsize=256)
def _packer(size: int) -> struct.Struct:
    return struct.Struct(f"{size}d")


def _flat(tensor: Tensor) -> list[Any] | NDArray[Any]:
    """The tensor's data as one flat sequence of as many values of its datatype as its shape says."""
    data = tensor.data
    if isinstance(data, list):
        if data and type(data[0]) is list:
            data = _joined(tensor, data)
        _check_types(tensor, data)
    expected = prod(tensor.shape)
    if len(data) != expected:
        raise RequestError(
            f"expected {expected} values for the shape {list(tensor.shape)}, found {len(data)}",
            place=f"inputs.{tensor.name}.data",
        )
    return data


def _joined(tensor: Tensor, rows: list[Any]) -> list[Any]:
    width = tensor.shape[1] if len(tensor.shape) == 2 else 1
    for position, row in enumerate(rows):
        if type(row) is not list or len(row) != width:
            found = f"{len(row)}" if type(row) is list else described(row)
            raise RequestError(
                f"expected a list of {width} values, found {found}", place=f"inputs.{tensor.name}.data[{position}]"
            )
    return list(chain.from_iterable(rows))


def _check_types(tensor: Tensor, data: list[Any]) -> None:
    """Refuse data that contradicts the tensor's own datatype; numpy would read the string "1.5" as a number."""
    if tensor.datatype in ("BOOL", "BYTES"):
        return  # checked against the column, which accepts nothing else
    if not _NUMBERS.issuperset(map(type, data)):
        position = next(i for i, value in enumerate(data) if type(value) not in _NUMBERS)
        problem = f"expected a number, found {described(data[position])}"
    elif tensor.datatype in _INTEGERS and float in set(map(type, data)):
        position = next(i for i, value in enumerate(data) if type(value) is float)
        problem = f"expected a whole number for {tensor.datatype}, found {described(data[position])}"
    else:
        return
    raise RequestError(problem, place=f"inputs.{tensor.name}.data[{position}]")
