# SPDX-License-Identifier: Apache-2.0
"""Several workers behind one address: what one of them is told or counts holds for all, and each may die."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pyarrow.parquet as pq
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from kelp.frame.history import History
from kelp.frame.rows import columns_from_instances
from kelp.frame.scorer import Scorer
from kelp.frame.transform import Feature, RawColumn, Transform, Window
from tests.local.serving.conftest import Server, a_version, command, eventually, linear_model, refused_start, running

ROW = {"amount": 12.5, "merchant": "shop", "is_foreign": True, "items": 2}
V1 = "/v1/models/fraud:predict"
MANY = 24  # connections, opened before any of them is used: some of them are every worker's
REQUESTS = 'kelp_requests_total{arm="champion",code="200",model="fraud",version="1"}'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with version 1 of `fraud`."""
    a_version(tmp_path / "repository" / "fraud" / "1")
    return tmp_path / "repository"


@contextmanager
def two_workers(root: Path, *arguments: str) -> Iterator[Server]:
    with running(root.parent / "log", "--repository", str(root), "--workers", "2", *arguments) as server:
        eventually(lambda: len(answers(server)) == 2, "one worker answers everything")
        yield server


def answers(server: Server) -> dict[str, set[tuple[int, str]]]:
    """The statuses and versions that each worker answers; a worker is known by the ids that it gives requests."""
    found: dict[str, set[tuple[int, str]]] = {}
    host, port = server.url.removeprefix("http://").split(":")
    body = json.dumps({"instances": [ROW]})
    head = f"POST {V1} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    with ExitStack() as connections:
        many = [connections.enter_context(socket.create_connection((host, int(port)), 30)) for _ in range(MANY)]
        for connection in many:
            connection.sendall((head + body).encode())
        for connection in many:
            answer = received(connection)
            lines = answer.partition(b"\r\n\r\n")[0].decode().split("\r\n")
            fields = dict(line.split(": ", 1) for line in lines[1:])
            worker = fields["x-request-id"].partition("-")[0]
            status = int(lines[0].split()[1])
            found.setdefault(worker, set()).add((status, fields.get("x-model-version", "")))
    return found


def received(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def all_answer(server: Server, status: int, version: str = "") -> bool:
    """Whether both workers answer so and in no other way."""
    found = answers(server)
    assert all(each == {(status, version)} for each in found.values()), found
    return len(found) == 2


def children(pid: int) -> set[int]:
    """The processes that a process has started and that run."""
    try:
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except FileNotFoundError:
        return set()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def kill_one(server: Server) -> None:
    """Kill a worker as the kernel does, and wait until another is in its place and answers."""
    before, known = children(server.process.pid), answers(server).keys()
    os.kill(min(before), signal.SIGKILL)
    eventually(
        lambda: len(children(server.process.pid) - {min(before)}) == 2 and bool(answers(server).keys() - known),
        f"the worker is not started again: {server.log.read_text()}",
    )


def test_unload_and_load_reach_every_worker(root: Path) -> None:
    with two_workers(root) as server, httpx.Client(base_url=server.url, timeout=30) as client:
        for _ in range(3):
            assert client.post("/v2/repository/models/fraud/unload").status_code == 200
            eventually(lambda: all_answer(server, 404), "one worker answers everything")
            assert client.post("/v2/repository/models/fraud/load").status_code == 200
            eventually(lambda: all_answer(server, 200, "1"), "one worker answers everything")
        a_version(root / "fraud" / "2")
        eventually(lambda: all_answer(server, 200, "1"), "one worker answers everything")
        assert client.post("/v2/repository/models/fraud/load").status_code == 200
        eventually(lambda: all_answer(server, 200, "2"), "one worker answers everything")


def test_what_no_worker_can_do_is_refused_with_the_reason(root: Path) -> None:
    with two_workers(root) as server, httpx.Client(base_url=server.url, timeout=30) as client:
        (a_version(root / "fraud" / "2") / "added").touch()
        answer = client.post("/v2/repository/models/fraud/load")
        assert (answer.status_code, answer.json()["fix"]) == (503, "version 1 is still served")
        assert "added: is not listed in the manifest" in answer.json()["error"]
        for action in ("load", "unload"):
            answer = client.post(f"/v2/repository/models/nobody/{action}")
            assert (answer.status_code, answer.json()["error"]) == (404, "no model is called nobody")
        eventually(lambda: all_answer(server, 200, "1"), "one worker answers everything")


def test_commands_over_grpc_reach_every_worker(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with two_workers(root, "--grpc-port", str(port)) as server, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = grpc_predict_v2_pb2_grpc.GRPCInferenceServiceStub(channel)
        stub.RepositoryModelUnload(pb.RepositoryModelUnloadRequest(model_name="fraud"))
        eventually(lambda: all_answer(server, 404), "one worker answers everything")
        with pytest.raises(grpc.RpcError) as caught:
            stub.ModelReady(pb.ModelReadyRequest(name="fraud"))
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
        stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name="fraud"))
        assert stub.ModelReady(pb.ModelReadyRequest(name="fraud")).ready
        eventually(lambda: all_answer(server, 200, "1"), "one worker answers everything")


def test_a_killed_worker_is_started_again_and_serves_what_the_others_serve(root: Path) -> None:
    """It has not been told: neither what was unloaded, nor that a later version in the folder is not served yet."""
    a_version(root / "churn" / "1")
    with two_workers(root) as server, httpx.Client(base_url=server.url, timeout=30) as client:
        a_version(root / "fraud" / "2")
        assert client.post("/v2/repository/models/fraud/load").status_code == 200
        assert client.post("/v2/repository/models/churn/unload").status_code == 200
        (a_version(root / "fraud" / "3") / "added").touch()
        assert client.post("/v2/repository/models/fraud/load").status_code == 503
        a_version(root / "price" / "1")  # nobody has asked to load it
        kill_one(server)
        eventually(lambda: all_answer(server, 200, "2"), "one worker answers everything")
        for name in ("churn", "price"):
            for _ in range(MANY):
                assert httpx.get(f"{server.url}/v2/models/{name}/ready").status_code == 404
        assert "ended with exit code -9; it is started again" in server.log.read_text()
        assert client.post("/v2/repository/models/price/load").status_code == 200
        kill_one(server)
        for _ in range(MANY):
            assert httpx.get(f"{server.url}/v2/models/price/ready").status_code == 200


def counts(client: httpx.Client) -> dict[str, float]:
    """Everything that may only grow: counters and histograms."""
    return {
        sample.name + json.dumps(sample.labels, sort_keys=True): sample.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        if family.type in ("counter", "histogram")
        for sample in family.samples
    }


def requests(client: httpx.Client) -> float:
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(REQUESTS))


def scraped(server: Server) -> float:
    with httpx.Client(base_url=server.url, timeout=10) as client:
        return requests(client)


def test_metrics_are_the_sum_of_all_workers(root: Path) -> None:
    with two_workers(root) as server:
        before = scraped(server)
        answers(server)
        found = []
        for _ in range(20):
            found.append(scraped(server))  # over a new connection: either worker answers
        text = httpx.get(f"{server.url}/metrics").text
        assert found == [before + MANY] * 20
        assert text.count("# TYPE kelp_requests_total counter") == 1
        openmetrics = httpx.get(f"{server.url}/metrics", headers={"accept": "application/openmetrics-text"}).text
        assert openmetrics.endswith("# EOF\n")


def test_metrics_never_go_back_though_workers_are_killed(root: Path) -> None:
    with two_workers(root) as server, httpx.Client(base_url=server.url, timeout=30) as client:
        seen: dict[str, float] = {}

        def scrape() -> None:
            with httpx.Client(base_url=server.url, timeout=30) as one:
                now = counts(one)
            assert {name: (value, now.get(name)) for name, value in seen.items() if now.get(name, 0) < value} == {}
            seen.update(now)

        for _ in range(3):
            answers(server)
            scrape()
            before = children(server.process.pid)
            os.kill(min(before), signal.SIGKILL)
            for _ in range(20):
                try:
                    scrape()
                except httpx.TransportError:
                    continue  # the killed worker had it
            eventually(lambda: len(answers(server)) == 2, "the worker is not started again")
            scrape()
        assert requests(client) >= 3 * MANY


def test_metrics_do_not_wait_for_a_worker_that_hangs(root: Path) -> None:
    with two_workers(root) as server:
        before = scraped(server)
        pid = min(children(server.process.pid))
        os.kill(pid, signal.SIGSTOP)
        try:
            eventually(lambda: scraped_soon(server, before), "the metrics wait for the worker")
        finally:
            os.kill(pid, signal.SIGCONT)


def scraped_soon(server: Server, least: float) -> bool:
    try:
        return scraped(server) >= least
    except httpx.TimeoutException:
        return False  # the worker that hangs has the connection


def test_sigterm_under_load_answers_what_was_accepted_and_leaves_no_process(root: Path) -> None:
    answered: list[int] = []
    failed: list[str] = []

    def load(url: str) -> None:
        with httpx.Client(base_url=url, timeout=30) as client:
            while True:
                try:
                    answered.append(client.post(V1, json={"instances": [ROW]}).status_code)
                except httpx.ConnectError:
                    return  # a new connection, after the server said that it closes this one
                except httpx.TransportError as error:
                    failed.append(repr(error))
                    return

    with two_workers(root) as server:
        workers = children(server.process.pid)
        callers = [threading.Thread(target=load, args=(server.url,)) for _ in range(6)]
        for caller in callers:
            caller.start()
        eventually(lambda: len(answered) > 300, "nothing is answered")
        os.kill(server.process.pid, signal.SIGTERM)
        for caller in callers:
            caller.join(timeout=60)
        assert server.process.wait(timeout=30) == 0
        assert not [pid for pid in workers if is_alive(pid)]
        assert "Traceback" not in server.log.read_text()
    assert failed == []
    assert set(answered) == {200}


def test_workers_end_when_the_process_that_started_them_is_killed(root: Path) -> None:
    with two_workers(root) as server:
        workers = children(server.process.pid)
        os.kill(server.process.pid, signal.SIGKILL)
        eventually(lambda: not any(is_alive(pid) for pid in workers), "a worker lives on")
        host, port = server.url.removeprefix("http://").split(":")
        with pytest.raises(ConnectionRefusedError), socket.create_connection((host, int(port)), timeout=5):
            pass


def test_sigterm_before_the_workers_are_ready_ends_with_zero(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    log = root.parent / "log"
    arguments = command("--http-port", port, "--repository", str(root), "--workers", "2")
    with log.open("wb") as output:
        process = subprocess.Popen(arguments, stdout=output, stderr=output)
    try:
        eventually(lambda: len(children(process.pid)) == 2, "the workers are not started")
        workers = children(process.pid)
        process.terminate()
        assert process.wait(timeout=30) == 0
        assert not [pid for pid in workers if is_alive(pid)]
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait()


COUNTED = Transform(
    task="regression",
    classes=(),
    time="at",
    columns=(
        RawColumn(name="at", type="timestamp", nullable=False),
        RawColumn(name="sku", type="string", nullable=False),
    ),
    windows=(Window(name="quotes", by=("sku",), over="sku", take="count", start_us=86_400_000_000, end_us=1),),
    features=tuple(Feature(name=f"quotes{number}", column="quotes", kind="number") for number in range(4)),
)


@pytest.fixture
def rolling(tmp_path: Path) -> Path:
    """A version that counts what it has seen of the last day."""
    folder = tmp_path / "rolling" / "1"
    folder.mkdir(parents=True)
    row = {"at": "2026-03-02T11:00:00Z", "sku": "tea"}
    history = History(COUNTED)
    history.observe(columns_from_instances(COUNTED, [row]))
    pq.write_table(history.to_table(), folder / "history.parquet")
    (folder / "transform.json").write_text(COUNTED.to_json())
    (folder / "model.onnx").write_bytes(linear_model("regression"))
    golden_row: dict[str, Any] = {**row, "quotes": 1.0}
    scores = Scorer.load(folder).score_columns(columns_from_instances(COUNTED, [golden_row])).reshape(1, 1).tolist()
    golden = {"columns": list(golden_row), "rows": [list(golden_row.values())], "scores": scores}
    (folder / "golden.json").write_text(json.dumps(golden))
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    (folder / "manifest.json").write_text(json.dumps({"files": files}))
    return folder


def test_a_model_with_rolling_features_is_refused_by_several_workers(root: Path, rolling: Path) -> None:
    expected = "the model has rolling features, and each of several workers would remember other rows"
    code, message = refused_start("--model", f"price={rolling}=1", "--workers", "2")
    assert (code, expected in message, "serve it with --workers 1" in message) == (4, True, True)
    assert "Traceback" not in message
    rolling.parent.rename(root / "price")
    with two_workers(root) as server:
        for path in ("/v2/models/price/ready", "/v1/models/price"):
            answer = httpx.get(server.url + path)
            assert (answer.status_code, answer.json()["fix"]) == (503, "serve it with --workers 1")
            assert expected in answer.json()["error"]
    with running(root.parent / "log", "--repository", str(root)) as server:
        assert httpx.get(f"{server.url}/v2/models/price/ready").status_code == 200


def test_a_refused_model_stops_the_start_with_exit_code_4(root: Path) -> None:
    folder = a_version(root / "fraud" / "2")
    (folder / "added").touch()
    code, message = refused_start("--model", f"fraud={folder}=2", "--workers", "2")
    assert code == 4
    assert f"{folder / 'added'}: is not listed in the manifest" in message
    assert "started again" not in message
    assert "Traceback" not in message


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("option", ["--http-port", "--grpc-port"])
def test_a_taken_port_stops_the_start_with_exit_code_4(root: Path, option: str, workers: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, message = refused_start("--repository", str(root), "--workers", workers, option, port)
    assert code == 4
    assert f"127.0.0.1:{port}: cannot be listened on" in message
    assert f"choose another {option}" in message
    assert "Traceback" not in message


def test_two_servers_do_not_share_a_port_for_grpc(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    with two_workers(root, "--grpc-port", port):
        for workers in ("1", "2"):
            code, message = refused_start("--repository", str(root), "--workers", workers, "--grpc-port", port)
            assert (code, f"127.0.0.1:{port}: cannot be listened on" in message) == (4, True)
