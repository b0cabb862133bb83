# SPDX-License-Identifier: Apache-2.0
"""KServe's V2 protocol (Open Inference Protocol), tensors in JSON or in the binary extension, in and out.

In the binary form the body is JSON followed by the tensors' bytes, and the header Inference-Header-Content-Length
is the length of the JSON.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from operator import itemgetter
from typing import Any

import orjson

from kelp.errors import RequestError
from kelp.frame.tensors import Tensor, batch_from_tensors, tensor_cell
from kelp.frame.transform import Transform
from kelp.frame.values import described
from serving.runtime.answer import Answer, Batch, Values
from serving.runtime.binary import binary_data, binary_output
from serving.runtime.body import json_object, required

OUTPUTS = ("score", "label", "probabilities")

_FIELDS = itemgetter("name", "datatype", "shape", "data")
_OBJECTS, _STRINGS, _LISTS, _WHOLE, _FOUR = {dict}, {str}, {list}, {int}, {4}


@dataclass(frozen=True, slots=True)
class V2Request:
    """Tensors whose fields are there; `outputs` maps the wanted ones to whether they are sent as bytes."""

    id: str | None
    tensors: tuple[Tensor, ...]
    outputs: dict[str, bool]

    @property
    def row_count(self) -> int:
        """The first dimension of the first tensor."""
        shape = self.tensors[0].shape
        return shape[0] if shape else 0

    def batch(self, transform: Transform) -> Batch:
        """Convert the tensors; see `batch_from_tensors`."""
        return batch_from_tensors(transform, self.tensors)

    def cell(self, column: str, row: int) -> str:
        """Name a value in a message."""
        return tensor_cell(column, row)

    def raw(self, transform: Transform) -> Values:
        """The declared columns that came."""
        names = {column.name for column in transform.columns}
        return {tensor.name: _values(tensor) for tensor in self.tensors if tensor.name in names}


def _values(tensor: Tensor) -> list[Any]:
    """Flat, with null for what is missing."""
    if not isinstance(tensor.data, list):
        values = tensor.data.tolist()
    elif tensor.data and isinstance(tensor.data[0], list):
        values = [value for row in tensor.data for value in row]
    else:
        values = tensor.data
    if tensor.datatype == "BYTES":
        return [None if value == "" else value for value in values]
    return [None if value != value else value for value in values]


def parse_v2(body: bytes, json_length: int | None = None) -> V2Request:
    """Read a body.

    Args:
        body: JSON, and after it the bytes of binary tensors.
        json_length: length of the JSON in bytes; None if that is the whole body.

    Raises:
        RequestError: the body is malformed; the place names the field.
    """
    if json_length is None:
        json_length = len(body)
    if not 0 <= json_length <= len(body):
        raise RequestError(
            f"expected at most the body's {len(body)} bytes, found {json_length}",
            place="Inference-Header-Content-Length",
        )
    content = json_object(body[:json_length])
    inputs = required(content, "inputs")
    if not isinstance(inputs, list) or not inputs:
        found = "none" if isinstance(inputs, list) else described(inputs)
        raise RequestError(f"expected a list of one or more tensors, found {found}", place="inputs")
    identity = content.get("id")
    if identity is not None and not isinstance(identity, str):
        raise RequestError(f"expected a string, found {described(identity)}", place="id")
    tensors = _tensors(inputs, body[json_length:])
    return V2Request(identity, tensors, _wanted_outputs(content))


def _tensors(inputs: list[Any], tail: bytes) -> tuple[Tensor, ...]:
    if not tail and (plain := _plain(inputs)):
        return plain
    tensors = []
    start = 0
    for position, entry in enumerate(inputs):
        place = f"inputs[{position}]"
        if not isinstance(entry, dict):
            raise RequestError(f"expected a tensor, found {described(entry)}", place=place)
        name, datatype = (_string(entry, key, place) for key in ("name", "datatype"))
        size = _parameters(entry, place).get("binary_data_size")
        if "data" in entry or size is None:
            data = required(entry, "data", f"{place}.")
            if not isinstance(data, list):
                raise RequestError(f"expected a list, found {described(data)}", place=f"{place}.data")
        else:
            if type(size) is not int or not 0 <= size <= len(tail) - start:
                raise RequestError(
                    f"expected at most the {len(tail) - start} bytes that are left, found {described(size)}",
                    place=f"{place}.parameters.binary_data_size",
                )
            data = binary_data(datatype, tail[start : start + size], place)
            start += size
        tensors.append(Tensor(name, datatype, _shape(entry, place), data))
    if start != len(tail):
        raise RequestError(f"expected {start} bytes of binary tensors after the JSON, found {len(tail)}", place="body")
    return tuple(tensors)


def _plain(inputs: list[Any]) -> tuple[Tensor, ...] | None:
    """The tensors, if each is four fields of the right types, all checked together; the rest is for `_tensors`."""
    if not _OBJECTS.issuperset(map(type, inputs)) or not _FOUR.issuperset(map(len, inputs)):
        return None
    try:
        names, datatypes, shapes, data = zip(*map(_FIELDS, inputs), strict=True)
    except KeyError:
        return None
    if not (
        _STRINGS.issuperset(map(type, chain(names, datatypes))) and _LISTS.issuperset(map(type, chain(shapes, data)))
    ):
        return None
    sizes = list(chain.from_iterable(shapes))
    if not _WHOLE.issuperset(map(type, sizes)) or min(sizes, default=0) < 0:
        return None
    fields = zip(names, datatypes, map(tuple, shapes), data, strict=True)
    return tuple(map(tuple.__new__, repeat(Tensor), fields))  # half the time of Tensor(...), thirty times a request


def _string(entry: dict[str, Any], key: str, place: str) -> str:
    value = required(entry, key, f"{place}.")
    if not isinstance(value, str):
        raise RequestError(f"expected a string, found {described(value)}", place=f"{place}.{key}")
    return value


def _shape(entry: dict[str, Any], place: str) -> tuple[int, ...]:
    shape = required(entry, "shape", f"{place}.")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        is_flat = isinstance(shape, list) and not any(isinstance(size, list | dict) for size in shape)
        found = str(shape)[:80] if is_flat and len(shape) < 8 else described(shape)
        raise RequestError(f"expected a list of whole numbers >= 0, found {found}", place=f"{place}.shape")
    return tuple(shape)


def _parameters(entry: dict[str, Any], place: str) -> dict[str, Any]:
    parameters = entry.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise RequestError(f"expected an object, found {described(parameters)}", place=f"{place}.parameters")
    return parameters


def _wanted_outputs(content: dict[str, Any]) -> dict[str, bool]:
    """All outputs unless the request names some; as JSON unless it asks for bytes."""
    is_binary = _parameters(content, "body").get("binary_data_output") is True
    entries = content.get("outputs")
    if not entries:
        if entries not in (None, []):
            raise RequestError(f"expected a list, found {described(entries)}", place="outputs")
        return dict.fromkeys(OUTPUTS, is_binary)
    if not isinstance(entries, list):
        raise RequestError(f"expected a list, found {described(entries)}", place="outputs")
    wanted: dict[str, bool] = {}
    for position, entry in enumerate(entries):
        place = f"outputs[{position}]"
        if not isinstance(entry, dict):
            raise RequestError(f"expected an object, found {described(entry)}", place=place)
        name = _string(entry, "name", place)
        if name not in OUTPUTS:
            raise RequestError(f"expected one of {', '.join(OUTPUTS)}, found {described(name)}", place=f"{place}.name")
        wanted[name] = _parameters(entry, place).get("binary_data", is_binary) is True
    return wanted


def available_outputs(answer: Answer) -> Iterator[tuple[str, str, list[int], list[Any]]]:
    """Name, datatype, shape and flat values of each output that the task has."""
    rows = len(answer.scores)
    yield "score", "FP64", [rows], answer.scores
    if answer.labels:
        yield "label", "BYTES", [rows], answer.labels
    if answer.probabilities:
        flat = [share for shares in answer.probabilities for share in shares]
        yield "probabilities", "FP64", [rows, len(answer.classes)], flat


def write_v2(request: V2Request, answer: Answer, *, model: str, version: str) -> tuple[bytes, int | None]:
    """Write the outputs that the request asks for and the task has.

    `score` is FP64 [n]; for classes `label` is BYTES [n]; for several classes `probabilities` is FP64 [n, classes].

    Returns:
        The body, and the length of its JSON if bytes of tensors follow it, else None.
    """
    outputs: list[dict[str, Any]] = []
    tail: list[bytes] = []
    for name, datatype, shape, values in available_outputs(answer):
        if name not in request.outputs:
            continue
        output: dict[str, Any] = {"name": name, "datatype": datatype, "shape": shape}
        if request.outputs[name]:
            tail.append(binary_output(datatype, values))
            output["parameters"] = {"binary_data_size": len(tail[-1])}
        else:
            output["data"] = values
        outputs.append(output)
    head: dict[str, Any] = {"model_name": model, "model_version": version, "outputs": outputs}
    if request.id is not None:
        head["id"] = request.id
    json_bytes = orjson.dumps(head)
    return b"".join([json_bytes, *tail]), len(json_bytes) if tail else None
