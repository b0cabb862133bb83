# SPDX-License-Identifier: Apache-2.0
"""What a hostile or a hasty caller sends to a connection, and what becomes of the connection and of everybody else."""

import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc

from tests.local.serving.conftest import LIMIT, a_version, running

ROW = {"amount": 12.5, "merchant": "shop", "is_foreign": True, "items": 2}
V1 = "/v1/models/fraud:predict"
BODY = json.dumps({"instances": [ROW]}).encode()
WaitUntil = Callable[[Callable[[], bool], str], None]


def connected(server: Any) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def received(connection: socket.socket) -> bytes:
    """Everything until the server closes the connection."""
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def request(*fields: str, body: bytes = BODY, length: str | None = None) -> bytes:
    lines = [f"POST {V1} HTTP/1.1", "Host: a", "Content-Type: application/json", *fields]
    return "\r\n".join([*lines, f"Content-Length: {length or len(body)}", "", ""]).encode() + body


def test_length_written_with_many_zeros_is_held_to_the_limit(server: Any) -> None:
    with connected(server) as connection:
        body = b" " * (LIMIT + 1)
        connection.sendall(request("Connection: close", body=body, length=str(len(body)).zfill(40)))
        assert received(connection).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(f"POST {V1} HTTP/1.1\r\n".encode() + b"x-many: 1\r\n" * 50_000, id="many-fields"),
        pytest.param(f"POST {V1} HTTP/1.1\r\nx-long: ".encode() + b"x" * 600_000, id="long-field"),
        pytest.param(b"POST /" + b"x" * 600_000, id="long-path"),
    ],
)
def test_endless_header_is_refused(server: Any, head: bytes) -> None:
    with connected(server) as connection:
        try:
            connection.sendall(head)
            answer = connection.recv(65_536)
        except ConnectionError:  # closed while it was still being sent
            return
        assert answer.startswith(b"HTTP/1.1 431") or not answer


def test_small_chunks_and_their_overhead_are_no_endless_header(server: Any) -> None:
    with connected(server) as connection:
        head = f"POST {V1} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        body = b" " * 30_000 + BODY
        connection.sendall(head.encode() + b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n")
        assert received(connection).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("is_split", [False, True])
def test_request_that_asks_for_http2_is_answered_and_its_body_is_no_request(server: Any, is_split: bool) -> None:
    fields = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"]
    smuggled = request("x-request-id: smuggled")
    whole = request(*fields, "x-request-id: first", body=json.dumps({"instances": [ROW]}).encode() + b" " * 500)
    disguised = request(*fields, "x-request-id: disguised", body=smuggled)
    for sent, expected in ((whole, b"HTTP/1.1 200"), (disguised, b"HTTP/1.1 400")):
        with connected(server) as connection:
            head, _, body = sent.partition(b"\r\n\r\n")
            for part in [head + b"\r\n\r\n", body] if is_split else [sent]:
                connection.sendall(part)
            answer = connection.recv(65_536)
            assert answer.startswith(expected), answer
            assert b"smuggled" not in answer
            connection.sendall(request("Connection: close", "x-request-id: next"))
            rest = received(connection)
            assert rest.startswith(b"HTTP/1.1 200")
            assert b"smuggled" not in rest


@pytest.mark.parametrize("path", [V1, "/v2/models/fraud/infer", "/v2/repository/models/fraud/unload"])
def test_web_page_is_not_answered_by_a_server_of_this_machine(client: httpx.Client, path: str) -> None:
    answer = client.post(path, content=BODY, headers={"origin": "https://evil.example"})
    assert (answer.status_code, "answers no web page" in answer.json()["error"]) == (403, True)
    assert client.post(V1, json={"instances": [ROW]}).status_code == 200


def test_repeated_tensor_is_refused_at_once_however_many_there_are(client: httpx.Client, server: Any) -> None:
    tensors = [{"name": f"t{number // 2}", "datatype": "FP64", "shape": [1], "data": [1]} for number in range(3000)]
    answer = client.post("/v2/models/fraud/infer", json={"inputs": tensors})
    assert (answer.status_code, "expected every tensor once" in answer.json()["error"]) == (400, True)


def test_deeply_nested_shape_and_a_long_name_are_refused_in_short(client: httpx.Client, server: Any) -> None:
    before = len(server.log.read_text())
    deep = '{"inputs": [{"name": "x", "datatype": "FP32", "shape": ' + "[" * 900 + "]" * 900 + ', "data": []}]}'
    assert client.post("/v2/models/fraud/infer", content=deep).status_code == 400
    name = "\x1b[31m\n" * 3_000
    inputs = [{"name": name, "datatype": "FP32", "shape": [1], "data": [1]}] * 2
    answer = client.post("/v2/models/fraud/infer", json={"inputs": inputs})
    assert answer.status_code == 400
    assert len(answer.content) < 20_000
    assert len(server.log.read_text()) - before < 2_000


def test_caller_that_leaves_while_a_model_is_loaded_keeps_no_memory(tmp_path: Path, wait_until: WaitUntil) -> None:
    for name in ("a", "b"):
        a_version(tmp_path / "models" / name / "1")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    # Room for one model: `a` must be given back, or `b` finds none.
    arguments = ["--repository", str(tmp_path / "models"), "--memory-bytes", "300000", "--grpc-port", str(port)]
    with running(tmp_path / "log", *arguments) as server, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = grpc_predict_v2_pb2_grpc.GRPCInferenceServiceStub(channel)
        grpc.channel_ready_future(channel).result(30)
        for _ in range(20):
            call = stub.ModelReady.future(pb.ModelReadyRequest(name="a"))
            call.cancel()
            httpx.post(f"{server.url}/v2/repository/models/a/unload")
            httpx.post(f"{server.url}/v2/repository/models/a/load")

        def answers() -> bool:
            return httpx.post(f"{server.url}/v1/models/b:predict", json={"instances": [ROW]}).status_code == 200

        wait_until(answers, "the second model finds no room")


def test_second_signal_does_not_cut_the_end_short(tmp_path: Path, wait_until: WaitUntil) -> None:
    folder = a_version(tmp_path / "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts connections, and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        arguments = ["--model-name", "fraud", "--model-dir", str(folder), "--log-url", url, "--log-drain-seconds", "2"]
        with running(tmp_path / "log", *arguments) as server:
            assert httpx.post(server.url + V1, json={"instances": [ROW]}).status_code == 200
            os.kill(server.process.pid, signal.SIGTERM)
            wait_until(lambda: refuses(server), "the server still listens")
            os.kill(server.process.pid, signal.SIGTERM)
            assert server.process.wait(30) == 0
            assert "the prediction log ends: 0 events sent, 1 dropped" in server.log.read_text()


def refuses(server: Any) -> bool:
    try:
        connected(server).close()
    except ConnectionRefusedError:
        return True
    return False
