# SPDX-License-Identifier: Apache-2.0
"""V2 over gRPC: a ModelInferRequest becomes the same request as over HTTP, an answer a ModelInferResponse. Pure.

Tensors come as typed contents, or all of them as bytes in `raw_input_contents`; an answer's tensors go as they came.
"""

from typing import Any

from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from kelp.errors import RequestError
from kelp.frame.tensors import Tensor
from serving.runtime.answer import Answer
from serving.runtime.binary import binary_data, binary_output
from serving.runtime.endpoint import Endpoint
from serving.runtime.model import ServedModel
from serving.runtime.v2 import OUTPUTS, V2Request, available_outputs

_CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


def grpc_endpoint(message: Any) -> Endpoint:
    """Where a ModelInferRequest asks."""
    return Endpoint(message.model_name, message.model_version or None, read_grpc, write_grpc)


def read_grpc(message: Any) -> V2Request:
    """Read a ModelInferRequest.

    Raises:
        RequestError: a tensor's datatype, shape or contents are wrong; the place names the field.
    """
    raw = message.raw_input_contents
    if not message.inputs:
        raise RequestError("expected one or more tensors, found none", place="inputs")
    if raw and len(raw) != len(message.inputs):
        raise RequestError(
            f"expected {len(message.inputs)} entries, one a tensor, found {len(raw)}", place="raw_input_contents"
        )
    tensors = []
    for position, entry in enumerate(message.inputs):
        place = f"inputs[{position}]"
        shape = tuple(entry.shape)
        if min(shape, default=0) < 0:
            raise RequestError(f"expected whole numbers >= 0, found {list(shape)}", place=f"{place}.shape")
        if raw and entry.HasField("contents"):
            raise RequestError("expected no contents beside raw_input_contents", place=f"{place}.contents")
        data = binary_data(entry.datatype, raw[position], place) if raw else _contents(entry, place)
        tensors.append(Tensor(entry.name, entry.datatype, shape, data))
    return V2Request(message.id, tuple(tensors), _wanted(message, is_raw=bool(raw)))


def _contents(entry: Any, place: str) -> list[Any]:
    field = _CONTENTS.get(entry.datatype)
    if field is None:
        raise RequestError(f"expected one of {', '.join(_CONTENTS)}, found {entry.datatype[:40]}", place=place)
    values = list(getattr(entry.contents, field))
    if field != "bytes_contents":
        return values
    try:
        return [value.decode() for value in values]
    except UnicodeDecodeError as error:
        raise RequestError(f"expected UTF-8: {error}", place=f"{place}.contents") from error


def _wanted(message: Any, *, is_raw: bool) -> dict[str, bool]:
    names = [output.name for output in message.outputs]
    for position, name in enumerate(names):
        if name not in OUTPUTS:
            raise RequestError(
                f"expected one of {', '.join(OUTPUTS)}, found {name[:40]!r}", place=f"outputs[{position}].name"
            )
    return dict.fromkeys(names or OUTPUTS, is_raw)


def write_grpc(request: V2Request, answer: Answer, model: ServedModel) -> Any:
    """Write a ModelInferResponse."""
    response = pb.ModelInferResponse(model_name=model.name, model_version=model.version, id=request.id or "")
    for name, datatype, shape, values in available_outputs(answer):
        if name not in request.outputs:
            continue
        output = response.outputs.add(name=name, datatype=datatype, shape=shape)
        if request.outputs[name]:
            response.raw_output_contents.append(binary_output(datatype, values))
        elif datatype == "BYTES":
            output.contents.bytes_contents.extend(value.encode() for value in values)
        else:
            output.contents.fp64_contents.extend(values)
    return response
