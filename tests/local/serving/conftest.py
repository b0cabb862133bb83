# SPDX-License-Identifier: Apache-2.0
"""A model server as a real process, and version directories for it to serve."""

import hashlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from onnx import TensorProto, helper

from kelp.frame.rows import columns_from_instances
from kelp.frame.scorer import Scorer
from kelp.frame.transform import Feature, RawColumn, Transform

# Their asserts explain themselves as those of tests do.
pytest.register_assert_rewrite("tests.local.serving.raw_connection", "tests.local.serving.fuzz_messages")

ROW = {"amount": 12.5, "merchant": "shop", "is_foreign": True, "items": 2}
CLASSES = {"binary": ("false", "true"), "multiclass": ("high", "low", "none"), "regression": ()}
LIMIT = 200_000
SMALL_LIMIT = 20_000  # bytes of a body, of the server at an address


def a_version(folder: Path, task: str = "binary") -> Path:
    """Write a version directory of a linear model over four features."""
    folder.mkdir(parents=True)
    transform = Transform.model_validate(
        {
            "task": task,
            "classes": CLASSES[task],
            "columns": [
                RawColumn(name="amount", type="float", nullable=True, min=0),
                RawColumn(name="merchant", type="category", nullable=True),
                RawColumn(name="is_foreign", type="bool", nullable=True),
                RawColumn(name="items", type="int", nullable=False, min=1),
            ],
            "features": [
                Feature(name="amount", column="amount", kind="number", fill=20),
                Feature(name="merchant", column="merchant", kind="category", fill=0, categories=("café", "shop")),
                Feature(name="is_foreign", column="is_foreign", kind="number", fill=0),
                Feature(name="items", column="items", kind="number", fill=1),
            ],
        }
    )
    (folder / "transform.json").write_text(transform.to_json(), encoding="utf-8")
    (folder / "model.onnx").write_bytes(linear_model(task))
    scorer = Scorer.load(folder)
    scores = scorer.score_columns(columns_from_instances(transform, [ROW])).reshape(1, -1).tolist()
    golden = {"columns": list(ROW), "rows": [list(ROW.values())], "scores": scores}
    (folder / "golden.json").write_text(json.dumps(golden), encoding="utf-8")
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    (folder / "manifest.json").write_text(json.dumps({"files": files}), encoding="utf-8")
    return folder


def linear_model(task: str) -> bytes:
    """ONNX bytes that answer sigmoid, softmax or the sum of a tenth of the four features."""
    outputs = 3 if task == "multiclass" else 1
    last = {"binary": "Sigmoid", "multiclass": "Softmax", "regression": "Identity"}[task]
    shape = [-1, 3] if task == "multiclass" else [-1]
    nodes = [
        helper.make_node("MatMul", ["rows", "weights"], ["sum"]),
        helper.make_node("Reshape", ["sum", "shape"], ["shaped"]),
        helper.make_node(last, ["shaped"], ["score"]),
    ]
    weights = [0.1 * (output + 1) for _ in range(4) for output in range(outputs)]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 4])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, *shape[1:]])],
        [
            helper.make_tensor("weights", TensorProto.FLOAT, [4, outputs], weights),
            helper.make_tensor("shape", TensorProto.INT64, [len(shape)], shape),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


@dataclass(frozen=True)
class Server:
    url: str
    process: subprocess.Popen[bytes]
    log: Path


@dataclass(frozen=True)
class Address:
    port: int
    grpc: int
    server: Server


@contextmanager
def running(log: Path, *arguments: str) -> Iterator[Server]:
    """Start a server on a free port, wait until it is ready, and end it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with log.open("wb") as output:
        process = subprocess.Popen(command("--http-port", str(port), *arguments), stdout=output, stderr=output)
    server = Server(f"http://127.0.0.1:{port}", process, log)
    try:
        eventually(lambda: is_ready(server), f"the server is not ready: {log.read_text()}")
        yield server
    finally:
        process.kill()
        process.wait()


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "serving.runtime", *arguments]


def refused_start(*arguments: str) -> tuple[int, str]:
    """Exit code and stderr of a server that does not start."""
    finished = subprocess.run(command("--http-port", "65431", *arguments), capture_output=True, timeout=60, check=False)
    return finished.returncode, finished.stderr.decode()


def is_ready(server: Server) -> bool:
    assert server.process.poll() is None, server.log.read_text()
    try:
        return httpx.get(f"{server.url}/v2/health/ready").status_code == 200
    except httpx.ConnectError:
        return False


def eventually(condition: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + 60
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, otherwise
        pause.wait(0.02)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One process that serves three models, one of each task."""
    folder = tmp_path_factory.mktemp("registry")
    arguments = ["--model-name", "fraud", "--model-dir", str(a_version(folder / "fraud" / "3"))]
    arguments += ["--model", f"churn={a_version(folder / 'churn=1', 'multiclass')}=7"]
    arguments += ["--model", f"price={a_version(folder / 'price', 'regression')}=2"]
    with running(folder / "log", *arguments, "--max-body-bytes", str(LIMIT)) as started:
        yield started


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """A server of four models, of which `spare` may be loaded and unloaded."""
    from tests.local.serving.test_kserve_clients import explainable  # which imports this module

    folder = tmp_path_factory.mktemp("fuzz")
    for name, task in (("fraud", "binary"), ("churn", "multiclass"), ("price", "regression"), ("spare", "binary")):
        explainable(a_version(folder / "models" / name / "1", task))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    arguments = ["--repository", str(folder / "models"), "--max-body-bytes", str(SMALL_LIMIT), "--grpc-port", str(port)]
    with running(folder / "log", *arguments) as server:
        yield Address(int(server.url.rpartition(":")[2]), port, server)
        assert "Traceback" not in server.log.read_text()
        assert "a request failed" not in server.log.read_text()


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    """One kept-alive connection, which a closed connection would break: nothing is retried."""
    with httpx.Client(base_url=server.url, limits=httpx.Limits(max_connections=1), timeout=30) as one:
        yield one


@pytest.fixture
def write_version() -> Callable[[Path], Path]:
    """Write a version directory of a binary model."""
    return a_version


@pytest.fixture
def start() -> Callable[..., AbstractContextManager[Server]]:
    """Run a server: `with start(log, "--model-name", ...) as server`."""
    return running


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool], str], None]:
    """Poll a condition, with a deadline."""
    return eventually


@pytest.fixture
def check_refusal() -> Callable[..., None]:
    """Check that an answer refuses, and that the same connection still answers a good request."""

    def check(client: httpx.Client, answer: httpx.Response, message: str, status: int = 400) -> None:
        assert answer.status_code == status, answer.text
        assert message in answer.json().get("error", "")
        assert "connection" not in answer.headers
        used = answer.extensions["network_stream"].get_extra_info("client_addr")
        good = client.post("/v1/models/fraud:predict", json={"instances": [ROW]})
        assert good.status_code == 200
        assert good.extensions["network_stream"].get_extra_info("client_addr") == used

    return check
