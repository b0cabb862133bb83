# SPDX-License-Identifier: Apache-2.0
"""Every kind of bad request, on one kept-alive connection to a real model server that must go on answering."""

import json
import struct
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

ROW = {"amount": 12.5, "merchant": "shop", "is_foreign": True, "items": 2}
V1 = "/v1/models/fraud:predict"
V2 = "/v2/models/fraud/infer"
LIMIT = 200_000  # bytes, as the server of these tests is started with
HEAD_LENGTH = 400
BINARY = {"Inference-Header-Content-Length": str(HEAD_LENGTH)}

CheckRefusal = Callable[..., None]


def tensors(**change: Any) -> list[dict[str, Any]]:
    """A request's inputs, one tensor per raw column; `change` replaces fields of the tensor amount."""
    return [
        {"name": "amount", "datatype": "FP64", "shape": [1], "data": [12.5], **change},
        {"name": "merchant", "datatype": "BYTES", "shape": [1], "data": ["shop"]},
        {"name": "is_foreign", "datatype": "BOOL", "shape": [1], "data": [True]},
        {"name": "items", "datatype": "INT64", "shape": [1], "data": [2]},
    ]


def matrix(**change: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "rows", "datatype": "FP32", "shape": [1, 4], "data": [12.5, 2, 1, 2], **change}]}


def without(entry: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in keys}


def binary_body(content: bytes = struct.pack("<4f", 12.5, 2, 1, 2), *, size: int | None = None) -> bytes:
    """The tensor rows as bytes after the JSON, which is always `HEAD_LENGTH` bytes long."""
    entry = without(matrix()["inputs"][0], "data")
    entry["parameters"] = {"binary_data_size": len(content) if size is None else size}
    head = json.dumps({"inputs": [entry], "parameters": {"binary_data_output": True}})
    return head.ljust(HEAD_LENGTH).encode() + content


def post_v1(client: httpx.Client, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(V1, content=content, headers=headers)


BAD_V1 = [
    pytest.param(b'{"instances": [', "body: expected JSON", id="malformed"),
    pytest.param(b"", "body: expected a JSON object, found nothing", id="empty-body"),
    pytest.param(b'{"instances": [[NaN, "shop", true, 2]]}', "body: expected JSON", id="nan-token"),
    pytest.param(b'{"instances": [[1e400, "shop", true, 2]]}', "body: expected JSON", id="infinite-number"),
    pytest.param(b'\xff\xfe{"instances": []}', "body: expected JSON", id="not-utf8"),
    pytest.param(b"[" * 100_000, "body: expected JSON", id="nested-too-deep"),
    pytest.param({}, "instances: expected the key", id="no-instances"),
    pytest.param({"inputs": [ROW]}, "instances: expected the key", id="inputs-instead-of-instances"),
    pytest.param({"instances": "rows"}, "instances: expected a list of rows", id="instances-a-string"),
    pytest.param({"instances": None}, "instances: expected a list of rows, found null", id="instances-null"),
    pytest.param({"instances": []}, "instances: expected one or more rows", id="no-rows"),
    pytest.param([ROW], "body: expected a JSON object, found a list", id="top-level-list"),
    pytest.param({"instances": [[12.5, "shop"]]}, "instances[0]: expected a list of 4 values", id="too-few-values"),
    pytest.param({"instances": [[12.5, "shop", True, 2, 1]]}, "found 5", id="too-many-values"),
    pytest.param({"instances": [list(ROW.values()), [1]]}, "instances[1]", id="ragged"),
    pytest.param({"instances": [["a", "b", "c", "d"]]}, "instances[0].amount", id="strings-for-numbers"),
    pytest.param({"instances": [[1, 2, 3, 4]]}, "instances[0].merchant: expected a string", id="numbers-for-strings"),
    pytest.param({"instances": [{**ROW, "amount": -1}]}, "instances[0].amount: expected a number >= 0", id="below-min"),
    pytest.param({"instances": [{**ROW, "items": None}]}, "instances[0].items", id="null-not-allowed"),
    pytest.param({"instances": [ROW, without(ROW, "amount")]}, "instances[1].amount", id="absent-key"),
    pytest.param({"instances": [7]}, "instances[0]: expected an object", id="a-number-for-a-row"),
]


@pytest.mark.parametrize(("body", "message"), BAD_V1)
def test_bad_v1_request_names_the_field_and_keeps_the_connection(
    client: httpx.Client, check_refusal: CheckRefusal, body: Any, message: str
) -> None:
    check_refusal(client, post_v1(client, body), message)


BAD_V2 = [
    pytest.param(b"{", "body: expected JSON", id="malformed"),
    pytest.param({}, "inputs: expected the key", id="no-inputs"),
    pytest.param({"inputs": []}, "inputs: expected a list of one or more tensors, found none", id="empty-inputs"),
    pytest.param({"inputs": {}}, "inputs: expected a list of one or more tensors, found an object", id="inputs-object"),
    pytest.param({"inputs": [7]}, "inputs[0]: expected a tensor", id="a-number-for-a-tensor"),
    pytest.param({"inputs": [without(tensors()[0], "name")]}, "inputs[0].name", id="no-name"),
    pytest.param({"inputs": [without(tensors()[0], "datatype")]}, "inputs[0].datatype", id="no-datatype"),
    pytest.param({"inputs": [without(tensors()[0], "shape")]}, "inputs[0].shape", id="no-shape"),
    pytest.param({"inputs": [without(tensors()[0], "data")]}, "inputs[0].data", id="no-data"),
    pytest.param(matrix(data="abc"), "inputs[0].data: expected a list", id="data-a-string"),
    pytest.param(matrix(shape=[2, 4]), "inputs.rows.data: expected 8 values", id="shape-is-not-the-datas"),
    pytest.param(matrix(shape=[1, 5], data=[1] * 5), "inputs.rows.shape: expected [n, 4]", id="wrong-width"),
    pytest.param(matrix(shape=[-1, 4]), "inputs[0].shape: expected a list of whole numbers >= 0", id="negative-shape"),
    pytest.param(matrix(shape=[True, 4]), "inputs[0].shape", id="shape-of-bools"),
    pytest.param(matrix(shape=["1", 4]), "inputs[0].shape", id="shape-of-strings"),
    pytest.param(matrix(shape=[10**15, 4]), "inputs.rows.data", id="shape-beyond-memory"),
    pytest.param(matrix(data=["a", "b", "c", "d"]), "inputs.rows.data[0]: expected a number", id="strings-in-fp32"),
    pytest.param(matrix(data=[1e39, 0, 0, 0]), "inputs.rows[0].amount", id="beyond-float32"),
    pytest.param(matrix(datatype="FP99"), "inputs.rows.datatype: expected FP32 or FP64", id="unknown-datatype"),
    pytest.param(matrix(name="row"), "inputs.amount: expected a tensor", id="wrong-tensor-name"),
    pytest.param({"inputs": [*tensors(), tensors()[0]]}, "inputs.amount: expected every tensor once", id="twice"),
    pytest.param({"inputs": tensors(data=[-1])}, "inputs.amount[0]: expected a number >= 0", id="below-min"),
    pytest.param({"inputs": tensors(shape=[2], data=[1, 2])}, "expected 2 rows as in amount, found 1", id="n-differs"),
    pytest.param({"id": 7, **matrix()}, "id: expected a string", id="id-a-number"),
    pytest.param({**matrix(), "outputs": [{"name": "scores"}]}, "outputs[0].name", id="unknown-output"),
    pytest.param({**matrix(), "outputs": 7}, "outputs: expected a list", id="outputs-a-number"),
    pytest.param({**matrix(), "parameters": 7}, "parameters: expected an object", id="parameters-a-number"),
]


@pytest.mark.parametrize(("body", "message"), BAD_V2)
def test_bad_v2_request_names_the_field_and_keeps_the_connection(
    client: httpx.Client, check_refusal: CheckRefusal, body: Any, message: str
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    check_refusal(client, client.post(V2, content=content), message)


@pytest.mark.parametrize(
    ("change", "content", "message"),
    [
        pytest.param({"Inference-Header-Content-Length": "abc"}, None, "expected a whole number", id="no-number"),
        pytest.param({"Inference-Header-Content-Length": "-1"}, None, "expected a whole number", id="negative"),
        pytest.param({"Inference-Header-Content-Length": "9" * 12}, None, "Inference-Header", id="beyond-the-body"),
        pytest.param({"Inference-Header-Content-Length": "3"}, None, "body: expected JSON", id="inside-the-json"),
        pytest.param({}, binary_body(b"\0" * 20, size=16), "expected 16 bytes", id="more-bytes-than-stated"),
        pytest.param({}, binary_body(size=17), "binary_data_size", id="fewer-bytes-than-stated"),
        pytest.param({}, binary_body(b"\0" * 15), "expected 4 bytes a value", id="half-a-value"),
        pytest.param({}, binary_body(b"\0" * 12), "expected 4 values", id="a-value-short"),
        pytest.param({}, binary_body(struct.pack("<4f", np.inf, 0, 0, 0)), "inputs.rows[0].amount", id="infinity"),
    ],
)
def test_bad_binary_request_names_the_field_and_keeps_the_connection(
    client: httpx.Client, check_refusal: CheckRefusal, change: dict[str, str], content: bytes | None, message: str
) -> None:
    check_refusal(client, client.post(V2, content=content or binary_body(), headers={**BINARY, **change}), message)


def test_binary_tensor_without_the_header_is_refused(client: httpx.Client, check_refusal: CheckRefusal) -> None:
    check_refusal(client, client.post(V2, content=binary_body()), "body: expected JSON")


def test_compressed_body_is_refused(client: httpx.Client, check_refusal: CheckRefusal) -> None:
    check_refusal(client, post_v1(client, b"\x1f\x8b", **{"content-encoding": "gzip"}), "Content-Encoding", 415)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",  # as the next: a web page may send it anywhere without asking
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/cloudevents+json",
        "application/xml",
        "\u00e9",
    ],
)
@pytest.mark.parametrize("path", [V1, V2, "/v1/models/fraud:explain"])
def test_body_of_another_type_is_refused(
    client: httpx.Client, check_refusal: CheckRefusal, path: str, content_type: str
) -> None:
    headers = {b"content-type": content_type.encode("latin-1")}
    answer = client.post(path, content=json.dumps({"instances": [ROW]}), headers=headers)
    check_refusal(client, answer, "Content-Type: expected application/json in UTF-8", 415)


def test_body_over_the_limit_is_refused_and_keeps_the_connection(
    client: httpx.Client, check_refusal: CheckRefusal
) -> None:
    check_refusal(client, post_v1(client, b" " * (LIMIT + 1)), f"expected at most {LIMIT} bytes", 413)
    check_refusal(client, client.post(V2, content=(b" " * 65_536 for _ in range(20))), "body: expected at most", 413)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("POST", "/v1/models/nobody:predict", id="v1-unknown-model"),
        pytest.param("POST", "/v2/models/nobody/infer", id="v2-unknown-model"),
        pytest.param("POST", "/v1/models/nobody:explain", id="explain-unknown-model"),
        pytest.param("POST", "/v2/repository/models/nobody/unload", id="unload-unknown-model"),
        pytest.param("POST", "/v2/repository/models/nobody/load", id="load-unknown-model"),
        pytest.param("POST", "/v2/models/fraud/versions/4/infer", id="v2-unknown-version"),
        pytest.param("POST", "/v1/models/fraud/versions/x:predict", id="v1-unknown-version"),
        pytest.param("DELETE", "/v1/models/fraud", id="delete"),
        pytest.param("PUT", V1, id="put"),
        pytest.param("GET", V1, id="get-predict"),
        pytest.param("GET", "/v2/models/nobody/ready", id="unknown-model-ready"),
        pytest.param("GET", "/nothing", id="no-such-page"),
    ],
)
def test_what_is_not_here_is_404_and_keeps_the_connection(
    client: httpx.Client, check_refusal: CheckRefusal, method: str, path: str
) -> None:
    check_refusal(client, client.request(method, path, json={"instances": [ROW]}), "", 404)
