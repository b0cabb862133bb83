# SPDX-License-Identifier: Apache-2.0
"""Good requests to a real model server, over V1 and V2, from httpx and from KServe's own client."""

import asyncio
import json
import struct
from typing import Any

import httpx
import numpy as np
import pytest

ROW = {"amount": 12.5, "merchant": "shop", "is_foreign": True, "items": 2}
V1 = "/v1/models/fraud:predict"
V2 = "/v2/models/fraud/infer"


def sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


SCORE = pytest.approx(sigmoid(0.1 * (12.5 + 2 + 1 + 2)), rel=1e-6)


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


def binary_body() -> tuple[bytes, dict[str, str]]:
    """A body whose tensor rows comes as bytes after the JSON, and the header that says so."""
    content = struct.pack("<4f", 12.5, 2, 1, 2)
    entry = {"name": "rows", "datatype": "FP32", "shape": [1, 4], "parameters": {"binary_data_size": len(content)}}
    head = json.dumps({"inputs": [entry], "parameters": {"binary_data_output": True}}).encode()
    return head + content, {"Inference-Header-Content-Length": str(len(head))}


def test_v1_answers_score_and_label_with_the_version_in_a_header(client: httpx.Client) -> None:
    answer = client.post(V1, json={"instances": [ROW, {**ROW, "amount": None}, {**ROW, "merchant": "unseen"}]})
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-model-version"] == "3"
    first, second, third = answer.json()["predictions"]
    assert first == {"score": SCORE, "label": "true"}
    assert second["score"] == pytest.approx(sigmoid(2.5), rel=1e-6)
    assert third["score"] == pytest.approx(sigmoid(1.55), rel=1e-6)


def test_v1_lists_are_read_in_the_declared_order(client: httpx.Client) -> None:
    answer = client.post(V1, json={"instances": [list(ROW.values())]})
    assert answer.json() == {"predictions": [{"score": SCORE, "label": "true"}]}


def test_several_classes_come_with_their_probabilities(client: httpx.Client) -> None:
    answer = client.post("/v1/models/churn:predict", json={"instances": [ROW]})
    (prediction,) = answer.json()["predictions"]
    assert prediction["label"] == "none"
    assert prediction["score"] == prediction["probabilities"]["none"]
    assert sum(prediction["probabilities"].values()) == pytest.approx(1)
    assert answer.headers["x-model-version"] == "7"


def test_regression_answers_the_value_alone(client: httpx.Client) -> None:
    answer = client.post("/v1/models/price:predict", json={"instances": [ROW]})
    assert answer.json() == {"predictions": [{"score": pytest.approx(1.75)}]}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(matrix(), id="rows-flat"),
        pytest.param(matrix(datatype="FP64", data=[[12.5, 2, 1, 2]]), id="rows-nested"),
        pytest.param({"inputs": tensors()}, id="one-tensor-per-column"),
        pytest.param({"inputs": tensors(shape=[1, 1], data=[[12.5]])}, id="n-by-1"),
    ],
)
def test_v2_answers_tensors_without_an_id(client: httpx.Client, body: dict[str, Any]) -> None:
    answer = client.post(V2, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "model_name": "fraud",
        "model_version": "3",
        "outputs": [
            {"name": "score", "datatype": "FP64", "shape": [1], "data": [SCORE]},
            {"name": "label", "datatype": "BYTES", "shape": [1], "data": ["true"]},
        ],
    }
    assert answer.headers["x-model-version"] == "3"


def test_v2_echoes_the_id_and_leaves_out_unwanted_outputs(client: httpx.Client) -> None:
    answer = client.post(V2, json={"id": "a-1", **matrix(), "outputs": [{"name": "label"}]})
    assert answer.json()["id"] == "a-1"
    assert [output["name"] for output in answer.json()["outputs"]] == ["label"]


def test_v2_binary_tensors_in_and_out(client: httpx.Client) -> None:
    content, headers = binary_body()
    answer = client.post(V2, content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    length = int(answer.headers["inference-header-content-length"])
    score, label = json.loads(answer.content[:length])["outputs"]
    tail = answer.content[length:]
    assert struct.unpack("<d", tail[: score["parameters"]["binary_data_size"]]) == (SCORE,)
    assert tail[score["parameters"]["binary_data_size"] :] == struct.pack("<I", 4) + b"true"
    assert label["datatype"] == "BYTES"


def test_v2_version_in_the_path_must_be_the_one_served(client: httpx.Client) -> None:
    assert client.post("/v2/models/fraud/versions/3/infer", json=matrix()).status_code == 200
    assert client.post("/v2/models/fraud/versions/4/infer", json=matrix()).status_code == 404


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"', "text/json;", ""],
)
def test_content_type_may_be_written_in_many_ways(client: httpx.Client, content_type: str) -> None:
    content = json.dumps({"instances": [ROW]}).encode()
    assert client.post(V1, content=content, headers={"content-type": content_type}).status_code == 200
    content = json.dumps(matrix()).encode()
    assert client.post(V2, content=content, headers={"content-type": content_type}).status_code == 200


@pytest.mark.parametrize("model", ["fraud", "churn", "price"])
def test_every_model_is_ready_and_describes_itself(client: httpx.Client, model: str) -> None:
    assert client.get(f"/v2/models/{model}/ready").json() == {"name": model, "ready": True}
    assert client.get(f"/v1/models/{model}").json() == {"name": model, "ready": True}
    inputs = client.get(f"/v2/models/{model}").json()["inputs"]
    assert [entry["name"] for entry in inputs] == list(ROW)


def test_metrics_count_requests_by_version_and_status(client: httpx.Client) -> None:
    def count(status: int) -> float:
        lines = client.get("/metrics").text.splitlines()
        name = f'kelp_requests_total{{arm="champion",code="{status}",model="fraud",version="3"}}'
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    good, bad = count(200), count(400)
    client.post(V1, json={"instances": [ROW]})
    client.post(V1, json={})
    assert (count(200), count(400)) == (good + 1, bad + 1)
    assert 'kelp_request_seconds_count{arm="champion",model="fraud",version="3"}' in client.get("/metrics").text


def test_large_batch_is_answered_row_by_row_alike(client: httpx.Client) -> None:
    rows = [[float(amount), "shop", True, 2] for amount in range(3000)]
    answer = client.post(V1, json={"instances": rows})
    assert answer.status_code == 200
    scores = [prediction["score"] for prediction in answer.json()["predictions"]]
    assert scores[:5] == pytest.approx([sigmoid(0.1 * (amount + 5)) for amount in range(5)], rel=1e-6)
    assert len(scores) == 3000


def test_kserves_own_client_is_answered_over_v1_and_v2(server: Any) -> None:
    from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

    async def ask() -> tuple[Any, Any, Any]:
        async with InferenceRESTClient(RESTConfig(protocol="v1", retries=0)) as v1:
            first = await v1.infer(server.url, {"instances": [ROW]}, model_name="fraud")
        tensor = InferInput("rows", [1, 4], "FP32")
        tensor.set_data_from_numpy(np.array([[12.5, 2, 1, 2]], dtype=np.float32), binary_data=False)
        packed = InferInput("rows", [1, 4], "FP32")
        packed.set_data_from_numpy(np.array([[12.5, 2, 1, 2]], dtype=np.float32), binary_data=True)
        async with InferenceRESTClient(RESTConfig(protocol="v2", retries=0)) as v2:
            second = await v2.infer(server.url, InferRequest("fraud", [tensor]), model_name="fraud")
            third = await v2.infer(server.url, InferRequest("fraud", [packed]), model_name="fraud")
        return first, second, third

    over_v1, over_v2, as_bytes = asyncio.run(ask())
    assert over_v1["predictions"] == [{"score": SCORE, "label": "true"}]
    for answer in (over_v2, as_bytes):
        assert answer.outputs[0].as_numpy().tolist() == [SCORE]
