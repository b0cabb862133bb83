# SPDX-License-Identifier: Apache-2.0
"""KServe's own clients, over REST and gRPC, are answered as plain HTTP is."""

import asyncio
import hashlib
import json
import socket
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.errors import UnsupportedProtocol
from kserve.protocol.infer_type import RequestedOutput

from tests.local.serving.conftest import Server, a_version, running

ROW = {"amount": 12.5, "merchant": "shop", "is_foreign": True, "items": 2}
ROWS = [ROW, {"amount": 3.0, "merchant": "caf\u00e9", "is_foreign": False, "items": 1}]
MATRIX = np.array([[12.5, 2, 1, 2], [3.0, 1, 0, 1]], dtype=np.float32)
VERSIONS = {"fraud": "3", "churn": "7", "price": "2"}


@dataclass(frozen=True)
class Address:
    server: Server
    grpc: str


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """One server of three models, over HTTP and gRPC."""
    folder = tmp_path_factory.mktemp("clients")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    arguments = ["--grpc-port", port]
    for name, task in (("fraud", "binary"), ("churn", "multiclass"), ("price", "regression")):
        arguments += ["--model", f"{name}={explainable(a_version(folder / name, task))}={VERSIONS[name]}"]
    with running(folder / "log", *arguments) as server:
        yield Address(server, f"127.0.0.1:{port}")


def explainable(folder: Path) -> Path:
    """Add the rows that explanations of a version start from."""
    pq.write_table(pa.Table.from_pylist(ROWS * 10), folder / "reference.parquet")
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    del files["manifest.json"]
    (folder / "manifest.json").write_text(json.dumps({"files": files}))
    return folder


def over_rest(protocol: str, ask: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
    """The answer that a client over REST gets, without a second try."""

    async def run() -> Any:
        async with InferenceRESTClient(RESTConfig(protocol=protocol, retries=0)) as client:
            return await ask(client)

    return asyncio.run(run())


def over_grpc(address: Address, ask: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
    async def run() -> Any:
        async with InferenceGRPCClient(address.grpc, retries=0, channel_args=[("grpc.enable_retries", 0)]) as client:
            return await ask(client)

    return asyncio.run(run())


def plain_v1(address: Address, model: str, verb: str = "predict") -> Any:
    return httpx.post(f"{address.server.url}/v1/models/{model}:{verb}", json={"instances": ROWS}, timeout=30).json()


def plain_v2(address: Address, model: str) -> dict[str, list[Any]]:
    """The outputs of plain JSON over HTTP, by name and flat."""
    tensor = {"name": "rows", "datatype": "FP32", "shape": [2, 4], "data": MATRIX.ravel().tolist()}
    answer = httpx.post(f"{address.server.url}/v2/models/{model}/infer", json={"inputs": [tensor]}).json()
    return {output["name"]: output["data"] for output in answer["outputs"]}


def matrix(*, is_binary: bool) -> list[Any]:
    tensor = InferInput("rows", [2, 4], "FP32")
    tensor.set_data_from_numpy(MATRIX, binary_data=is_binary)
    return [tensor]


def columns(*, is_binary: bool) -> list[Any]:
    """One tensor a raw column: numbers, strings and booleans."""
    texts = np.array([row["merchant"] for row in ROWS], dtype=np.object_)
    contents = {
        "amount": ("FP64", np.array([row["amount"] for row in ROWS], dtype=np.float64)),
        "merchant": ("BYTES", texts),
        "is_foreign": ("BOOL", np.array([row["is_foreign"] for row in ROWS], dtype=np.bool_)),
        "items": ("INT64", np.array([row["items"] for row in ROWS], dtype=np.int64)),
    }
    tensors = []
    for name, (datatype, values) in contents.items():
        tensor = InferInput(name, [2], datatype)
        tensor.set_data_from_numpy(values, binary_data=is_binary)
        tensors.append(tensor)
    return tensors


def outputs_of(response: Any) -> dict[str, list[Any]]:
    found = {}
    for output in response.outputs:
        values = output.as_numpy().ravel().tolist()
        found[output.name] = [value.decode() if isinstance(value, bytes) else value for value in values]
    return found


@pytest.mark.parametrize("model", list(VERSIONS))
def test_v1_predictions_are_those_of_plain_http(address: Address, model: str) -> None:
    headers: dict[str, str] = {}
    url = address.server.url
    data = {"instances": ROWS}
    found = over_rest("v1", lambda client: client.infer(url, data, model_name=model, response_headers=headers))
    assert found == plain_v1(address, model)
    assert len(found["predictions"]) == 2
    assert headers["x-model-version"] == VERSIONS[model]


@pytest.mark.parametrize("model", list(VERSIONS))
def test_v1_explanations_are_those_of_plain_http(address: Address, model: str) -> None:
    found = over_rest("v1", lambda client: client.explain(address.server.url, model, {"instances": ROWS}))
    assert found == plain_v1(address, model, "explain")
    assert "error" not in found


@pytest.mark.parametrize("is_binary", [False, True], ids=["json", "binary"])
@pytest.mark.parametrize("tensors", [matrix, columns])
@pytest.mark.parametrize("model", list(VERSIONS))
def test_v2_answers_are_those_of_plain_http(
    address: Address, model: str, tensors: Callable[..., list[Any]], is_binary: bool
) -> None:
    request = InferRequest(model, tensors(is_binary=is_binary), request_id="a-1")
    response = over_rest("v2", lambda client: client.infer(address.server.url, request, model_name=model))
    assert (response.model_name, response.id) == (model, "a-1")  # the client drops the answer's model_version
    assert outputs_of(response) == plain_v2(address, model)


@pytest.mark.parametrize("is_binary", [False, True], ids=["json", "binary"])
def test_v2_outputs_may_be_chosen_and_come_as_bytes(address: Address, is_binary: bool) -> None:
    wanted = [RequestedOutput("label", {"binary_data": is_binary})]
    request = InferRequest("fraud", matrix(is_binary=is_binary), request_outputs=wanted)
    response = over_rest("v2", lambda client: client.infer(address.server.url, request, model_name="fraud"))
    assert outputs_of(response) == {"label": plain_v2(address, "fraud")["label"]}


@pytest.mark.parametrize("is_raw", [False, True], ids=["typed", "raw"])
@pytest.mark.parametrize("tensors", [matrix, columns])
@pytest.mark.parametrize("model", list(VERSIONS))
def test_grpc_answers_are_those_of_plain_http(
    address: Address, model: str, tensors: Callable[..., list[Any]], is_raw: bool
) -> None:
    request = InferRequest(model, tensors(is_binary=is_raw), request_id="a-1")
    assert bool(request.to_grpc().raw_input_contents) == is_raw
    response = over_grpc(address, lambda client: client.infer(request))
    assert (response.model_name, response.model_version, response.id) == (model, VERSIONS[model], "a-1")
    assert outputs_of(response) == plain_v2(address, model)


async def is_model_ready(*arguments: Any) -> Any:
    *where, client = arguments
    return await client.is_model_ready(*where)


@pytest.mark.parametrize("protocol", ["v1", "v2"])
def test_the_server_is_live_and_its_models_are_ready_over_rest(address: Address, protocol: str) -> None:
    url = address.server.url
    assert over_rest(protocol, lambda client: client.is_server_live(url)) is True
    assert all(over_rest(protocol, partial(is_model_ready, url, model)) is True for model in VERSIONS)


def test_the_server_is_ready_over_v2_and_v1_has_no_such_question(address: Address) -> None:
    url = address.server.url
    assert over_rest("v2", lambda client: client.is_server_ready(url)) is True
    with pytest.raises(UnsupportedProtocol):
        over_rest("v1", lambda client: client.is_server_ready(url))


def test_the_server_is_live_and_ready_and_its_models_are_over_grpc(address: Address) -> None:
    assert over_grpc(address, lambda client: client.is_server_live()) is True
    assert over_grpc(address, lambda client: client.is_server_ready()) is True
    assert all(over_grpc(address, partial(is_model_ready, model)) is True for model in VERSIONS)


def test_a_model_that_is_not_there_is_not_ready(address: Address) -> None:
    url = address.server.url
    with pytest.raises(httpx.HTTPStatusError, match="no model is called nobody, '404 Not Found'"):
        over_rest("v1", lambda client: client.is_model_ready(url, "nobody"))
    assert over_rest("v2", lambda client: client.is_model_ready(url, "nobody")) is False
    with pytest.raises(grpc.RpcError) as caught:
        over_grpc(address, lambda client: client.is_model_ready("nobody"))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_bad_request_is_refused_with_the_field(address: Address) -> None:
    url = address.server.url
    with pytest.raises(httpx.HTTPStatusError, match=r"instances\[0\]: expected .*'400 Bad Request'"):
        over_rest("v1", lambda client: client.infer(url, {"instances": [7]}, model_name="fraud"))
    wrong = InferInput("rows", [2, 3], "FP32")
    wrong.set_data_from_numpy(MATRIX[:, :3], binary_data=True)
    request = InferRequest("fraud", [wrong])
    with pytest.raises(httpx.HTTPStatusError, match=r"inputs\.rows\.shape: expected \[n, 4\]"):
        over_rest("v2", lambda client: client.infer(url, request, model_name="fraud"))
    with pytest.raises(grpc.RpcError, match=r"inputs\.rows\.shape: expected \[n, 4\]") as caught:
        over_grpc(address, lambda client: client.infer(request))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
