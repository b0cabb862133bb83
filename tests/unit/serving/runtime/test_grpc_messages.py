# SPDX-License-Identifier: Apache-2.0
import struct
from typing import Any

import numpy as np
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from kelp.errors import RequestError
from kelp.frame.online import Online
from kelp.frame.scorer import Scorer
from serving.runtime.answer import Answer
from serving.runtime.grpc_messages import grpc_endpoint, read_grpc, write_grpc
from serving.runtime.metrics import Metrics
from serving.runtime.v2 import parse_v2
from tests.unit.serving.runtime.planes import AMOUNT, Doubling, a_model

CONTENTS: list[tuple[str, str, list[Any], str]] = [
    ("BOOL", "bool_contents", [True, False], "<2?"),
    ("INT8", "int_contents", [-128, 127], "<2b"),
    ("INT16", "int_contents", [-32768, 32767], "<2h"),
    ("INT32", "int_contents", [-(2**31), 2**31 - 1], "<2i"),
    ("INT64", "int64_contents", [-(2**63), 2**63 - 1], "<2q"),
    ("UINT8", "uint_contents", [0, 255], "<2B"),
    ("UINT16", "uint_contents", [0, 65535], "<2H"),
    ("UINT32", "uint_contents", [0, 2**32 - 1], "<2I"),
    ("UINT64", "uint64_contents", [0, 2**64 - 1], "<2Q"),
    ("FP32", "fp32_contents", [-1.5, 3.0], "<2f"),
    ("FP64", "fp64_contents", [-1.5, 1e300], "<2d"),
]
TEXTS = ["caf\u00e9", ""]


def a_request(datatype: str = "FP64", shape: tuple[int, ...] = (2,), **contents: Any) -> Any:
    """A ModelInferRequest of one tensor."""
    message = pb.ModelInferRequest(model_name="price")
    tensor = message.inputs.add(name="amount", datatype=datatype, shape=shape)
    for field, values in contents.items():
        getattr(tensor.contents, field).extend(values)
    return message


def raw(message: Any, *entries: bytes) -> Any:
    message.raw_input_contents.extend(entries)
    return message


def values_of(message: Any) -> list[Any]:
    data = read_grpc(message).tensors[0].data
    return list(data.tolist() if isinstance(data, np.ndarray) else data)


@pytest.mark.parametrize(("datatype", "field", "values", "packing"), CONTENTS)
def test_every_datatype_is_read_alike_from_typed_and_from_raw_contents(
    datatype: str, field: str, values: list[Any], packing: str
) -> None:
    contents: Any = {field: values}
    assert values_of(a_request(datatype, **contents)) == values
    assert values_of(raw(a_request(datatype), struct.pack(packing, *values))) == values


def test_strings_are_read_alike_from_typed_and_from_raw_contents() -> None:
    contents = [text.encode() for text in TEXTS]
    assert values_of(a_request("BYTES", bytes_contents=contents)) == TEXTS
    packed = b"".join(struct.pack("<I", len(text)) + text for text in contents)
    assert values_of(raw(a_request("BYTES"), packed)) == TEXTS


def test_a_message_says_the_same_as_the_json_of_it() -> None:
    message = a_request(fp64_contents=[4, 5])
    message.id = "a-1"
    body = b'{"id": "a-1", "inputs": [{"name": "amount", "datatype": "FP64", "shape": [2], "data": [4.0, 5.0]}]}'
    assert read_grpc(message) == parse_v2(body)


def test_a_message_says_which_model_and_which_version() -> None:
    endpoint = grpc_endpoint(pb.ModelInferRequest(model_name="price", model_version="3"))
    assert (endpoint.name, endpoint.version) == ("price", "3")
    assert grpc_endpoint(pb.ModelInferRequest(model_name="../x")).version is None


def two_tensors() -> Any:
    message = a_request()
    message.inputs.add(name="other", datatype="FP64", shape=[2])
    return message


def with_output(name: str) -> Any:
    message = a_request(fp64_contents=[1, 2])
    message.outputs.add(name="score")
    message.outputs.add(name=name)
    return message


TWO = struct.pack("<2d", 1, 2)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(pb.ModelInferRequest(), "inputs: expected one or more tensors, found none", id="no-inputs"),
        pytest.param(raw(pb.ModelInferRequest(), b"ab"), "inputs: expected one or more tensors", id="raw-alone"),
        pytest.param(
            raw(two_tensors(), TWO), "raw_input_contents: expected 2 entries, one a tensor, found 1", id="few"
        ),
        pytest.param(raw(a_request(), TWO, TWO), "raw_input_contents: expected 1 entries", id="more-raw-than-tensors"),
        pytest.param(
            raw(a_request(fp64_contents=[1, 2]), TWO),
            "inputs[0].contents: expected no contents beside raw_input_contents",
            id="typed-and-raw",
        ),
        pytest.param(a_request(shape=(-1,)), "inputs[0].shape: expected whole numbers >= 0", id="negative-shape"),
        pytest.param(raw(a_request(shape=(2, -(2**63))), TWO), "inputs[0].shape", id="most-negative-shape-raw"),
        pytest.param(a_request("FP16"), "inputs[0]: expected one of BOOL, INT8", id="unknown-datatype"),
        pytest.param(a_request(""), "inputs[0]: expected one of BOOL, INT8", id="no-datatype"),
        pytest.param(a_request("fp64", fp64_contents=[1, 2]), "inputs[0]: expected one of", id="small-letters"),
        pytest.param(raw(a_request("FP16"), b"abcd"), "inputs[0]: expected one of BOOL, INT8", id="unknown-raw"),
        pytest.param(raw(a_request(), b"a" * 15), "inputs[0].data: expected 8 bytes a value", id="half-a-value"),
        pytest.param(
            a_request("BYTES", bytes_contents=[b"a", b"\xff"]), "inputs[0].contents: expected UTF-8", id="utf8"
        ),
        pytest.param(raw(a_request("BYTES"), b"\x01\0\0\0\xff"), "inputs[0].data[0]: expected UTF-8", id="utf8-raw"),
        pytest.param(raw(a_request("BYTES"), b"\x01\0"), "inputs[0].data[0]: expected 4 bytes of length", id="cut"),
        pytest.param(raw(a_request("BYTES"), b"\xff\xff\xff\xffa"), "expected a string of 4294967295 bytes", id="long"),
        pytest.param(with_output("scores"), "outputs[1].name: expected one of score, label", id="unknown-output"),
        pytest.param(with_output(""), "outputs[1].name: expected one of score, label", id="output-without-a-name"),
    ],
)
def test_a_wrong_message_is_refused_by_its_field(message: Any, expected: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_grpc(message)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(a_request(), "expected 2 values for the shape [2], found 0", id="no-contents"),
        pytest.param(
            a_request(int_contents=[1, 2]), "expected 2 values for the shape [2], found 0", id="other-contents"
        ),
        pytest.param(a_request(fp64_contents=[1, 2, 3]), "found 3", id="more-values-than-the-shape"),
        pytest.param(raw(a_request(), TWO * 2), "found 4", id="more-bytes-than-the-shape"),
        pytest.param(raw(a_request(), b""), "found 0", id="no-bytes"),
        pytest.param(a_request(shape=(), fp64_contents=[1]), "expected [n] or [n, 1] with n >= 1", id="no-shape"),
        pytest.param(a_request(shape=(0,)), "expected [n] or [n, 1] with n >= 1", id="no-rows"),
        pytest.param(a_request(shape=(2**62, 2**62)), "expected [n] or [n, 1]", id="shape-beyond-memory"),
        pytest.param(a_request(shape=(2**63 - 1,)), "values for the shape", id="rows-beyond-memory"),
        pytest.param(a_request("BOOL", bool_contents=[True, False]), "datatype: expected INT8", id="wrong-datatype"),
        pytest.param(a_request(fp64_contents=[1, float("inf")]), "inputs.amount[1]: expected a number", id="infinite"),
    ],
)
def test_a_message_that_does_not_fit_the_model_is_refused_by_its_field(message: Any, expected: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_grpc(message).batch(AMOUNT)
    assert expected in str(caught.value)


def test_a_missing_number_is_nan_in_both_forms() -> None:
    for message in (a_request(fp64_contents=[1, float("nan")]), raw(a_request(), struct.pack("<2d", 1, float("nan")))):
        batch: Any = read_grpc(message).batch(AMOUNT)
        assert np.isnan(batch["amount"]).tolist() == [False, True]


ANSWER = Answer([0.25, 0.75], ["no", "caf\u00e9"], [[0.25, 0.75], [0.75, 0.25]], ("caf\u00e9", "no"))
MODEL = a_model(Online(Scorer(AMOUNT, Doubling())), Metrics("champion"))


def written(*outputs: str, is_raw: bool = False, answer: Answer = ANSWER) -> Any:
    message = raw(a_request(), TWO) if is_raw else a_request(fp64_contents=[1, 2])
    message.id = "a-1"
    for name in outputs:
        message.outputs.add(name=name)
    return write_grpc(read_grpc(message), answer, MODEL)


def test_an_answer_of_typed_contents_has_typed_contents() -> None:
    response = written()
    assert (response.model_name, response.model_version, response.id) == ("price", "3", "a-1")
    score, label, probabilities = response.outputs
    assert (score.name, score.datatype, list(score.shape)) == ("score", "FP64", [2])
    assert list(score.contents.fp64_contents) == [0.25, 0.75]
    assert (label.datatype, list(label.contents.bytes_contents)) == ("BYTES", [b"no", "caf\u00e9".encode()])
    assert (list(probabilities.shape), list(probabilities.contents.fp64_contents)) == ([2, 2], [0.25, 0.75, 0.75, 0.25])
    assert not response.raw_output_contents


def test_an_answer_of_raw_contents_has_raw_contents() -> None:
    response = written(is_raw=True)
    assert not any(output.HasField("contents") for output in response.outputs)
    score, label, probabilities = response.raw_output_contents
    assert struct.unpack("<2d", score) == (0.25, 0.75)
    assert label == b"\x02\0\0\0no\x05\0\0\0caf\xc3\xa9"
    assert struct.unpack("<4d", probabilities) == (0.25, 0.75, 0.75, 0.25)


@pytest.mark.parametrize("is_raw", [True, False])
def test_only_the_outputs_that_were_asked_for_and_that_the_task_has_are_answered(is_raw: bool) -> None:
    assert [output.name for output in written("label", "score", is_raw=is_raw).outputs] == ["score", "label"]
    assert [output.name for output in written("label", is_raw=is_raw).outputs] == ["label"]
    regression = Answer([0.5], [], [], ())
    response = written(is_raw=is_raw, answer=regression)
    assert [output.name for output in response.outputs] == ["score"]
    assert len(response.raw_output_contents) == int(is_raw)
    assert not written("label", is_raw=is_raw, answer=regression).outputs
