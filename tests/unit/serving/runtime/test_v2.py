# SPDX-License-Identifier: Apache-2.0
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelp.errors import RequestError
from kelp.frame.tensors import Tensor
from serving.runtime.answer import Answer
from serving.runtime.v2 import V2Request, parse_v2, write_v2

ROWS = {"name": "rows", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}
BINARY = Answer([0.25, 0.75], ["false", "true"], [], ("false", "true"))
MULTICLASS = Answer([0.5], ["b"], [[0.25, 0.5, 0.25]], ("a", "b", "c"))
REGRESSION = Answer([3.5], [], [], ())


def body(**fields: Any) -> bytes:
    return json.dumps({"inputs": [ROWS], **fields}).encode()


def written(answer: Answer, **fields: Any) -> tuple[dict[str, Any], bytes]:
    content, length = write_v2(parse_v2(body(**fields)), answer, model="fraud", version="3")
    return json.loads(content[:length]), content[length:] if length is not None else b""


def test_request_is_its_tensors_and_all_outputs_as_json() -> None:
    request = parse_v2(body())
    assert request.tensors == (Tensor("rows", "FP32", (1, 2), [1, 2]),)
    assert request.outputs == {"score": False, "label": False, "probabilities": False}
    assert (request.id, request.row_count) == (None, 1)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(BINARY, ["score", "label"], id="binary"),
        pytest.param(MULTICLASS, ["score", "label", "probabilities"], id="multiclass"),
        pytest.param(REGRESSION, ["score"], id="regression"),
    ],
)
def test_outputs_are_those_of_the_task(answer: Answer, expected: list[str]) -> None:
    assert [output["name"] for output in written(answer)[0]["outputs"]] == expected


def test_probabilities_are_a_matrix() -> None:
    output = written(MULTICLASS, outputs=[{"name": "probabilities"}])[0]["outputs"][0]
    assert output == {"name": "probabilities", "datatype": "FP64", "shape": [1, 3], "data": [0.25, 0.5, 0.25]}


def test_one_output_may_be_bytes_and_another_json() -> None:
    wanted = [{"name": "score", "parameters": {"binary_data": False}}, {"name": "label"}]
    head, tail = written(BINARY, outputs=wanted, parameters={"binary_data_output": True})
    score, label = head["outputs"]
    assert score["data"] == [0.25, 0.75]
    assert label["parameters"] == {"binary_data_size": len(tail)}
    assert tail == b"\x05\0\0\0false\x04\0\0\0true"


def test_binary_tensors_follow_each_other() -> None:
    flags = {"name": "a", "datatype": "BOOL", "shape": [2], "parameters": {"binary_data_size": 2}}
    texts = {"name": "b", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 5}}
    head = json.dumps({"inputs": [flags, ROWS, texts]}).encode()
    first, middle, last = parse_v2(head + b"\1\0" + b"\1\0\0\0x", len(head)).tensors
    assert [bool(flag) for flag in first.data] == [True, False]
    assert middle.data == [1, 2]
    assert last.data == ["x"]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children, max_size=2),
    max_leaves=6,
)


@given(
    content=st.dictionaries(st.sampled_from(["inputs", "outputs", "parameters", "id"]), json_values)
    | st.fixed_dictionaries(
        {
            "inputs": st.lists(
                st.dictionaries(st.sampled_from(["name", "datatype", "shape", "data", "parameters"]), json_values),
                max_size=2,
            )
        }
    ),
    tail=st.binary(max_size=5),
)
def test_any_json_is_parsed_or_refused(content: dict[str, Any], tail: bytes) -> None:
    head = json.dumps(content).encode()
    try:
        request = parse_v2(head + tail, len(head))
    except RequestError:
        return
    assert isinstance(request, V2Request)


@given(st.binary(max_size=50), st.none() | st.integers(-1, 60))
def test_any_bytes_are_refused(content: bytes, json_length: int | None) -> None:
    with pytest.raises(RequestError):
        parse_v2(content, json_length)
