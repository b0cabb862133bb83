# SPDX-License-Identifier: Apache-2.0
"""The prediction log of a real server process, at a real sink that comes and goes."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from kelp.events import Prediction, read_cloud_event

ROW = {"amount": 12.5, "merchant": "shop", "is_foreign": True, "items": 2, "undeclared": "secret"}
V1 = "/v1/models/fraud:predict"
V2 = "/v2/models/fraud/infer"

Start = Callable[..., AbstractContextManager[Any]]
WaitUntil = Callable[[Callable[[], bool], str], None]


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def a_sink(port: int, file: Path) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", "tests.local.serving.sink", str(port), str(file)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def stored(file: Path) -> list[Prediction]:
    lines = file.read_text().splitlines() if file.exists() else []
    return [read_cloud_event(json.loads(line)) for line in lines]


def metric(server: Any, name: str) -> float:
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(name + " ")).split()[1])


@pytest.fixture
def serve(tmp_path: Path, port: int, write_version: Callable[[Path], Path], start: Start) -> Start:
    folder = write_version(tmp_path / "1")

    def started(*arguments: str) -> AbstractContextManager[Any]:
        command = ["--model-name", "fraud", "--model-dir", str(folder), "--arm", "canary"]
        return start(tmp_path / "log", *command, "--log-url", f"http://127.0.0.1:{port}/events", *arguments)

    return started


def test_answered_requests_become_events_and_refused_ones_do_not(
    tmp_path: Path, port: int, serve: Start, wait_until: WaitUntil
) -> None:
    file = tmp_path / "events"
    with a_sink(port, file), serve() as server:
        answer = httpx.post(server.url + V1, json={"instances": [ROW]}, headers={"X-Request-Id": "a-1"})
        httpx.post(server.url + V1, json={"instances": [{}]})
        matrix = {"name": "rows", "datatype": "FP32", "shape": [1, 4], "data": [12.5, 2, 1, 2]}
        httpx.post(server.url + V2, json={"inputs": [matrix]})
        wait_until(lambda: len(stored(file)) == 2, "the events are not there")
        first, second = stored(file)
    assert (first.model, first.version, first.arm, first.request_id) == ("fraud", "1", "canary", "a-1")
    assert first.inputs == {name: [value] for name, value in ROW.items() if name != "undeclared"}
    assert answer.json()["predictions"] == [{"score": first.scores[0], "label": first.labels[0]}]
    assert (second.inputs, second.features) == ({}, struct.pack("<4f", 12.5, 2, 1, 2))
    assert "secret" not in file.read_text()


def test_events_outlive_a_sink_that_is_away_for_a_while(
    tmp_path: Path, port: int, serve: Start, wait_until: WaitUntil
) -> None:
    file = tmp_path / "events"
    with serve() as server, httpx.Client(base_url=server.url) as client:
        with a_sink(port, file):
            client.post(V1, json={"instances": [ROW]}, headers={"x-request-id": "before"})
            wait_until(lambda: len(stored(file)) == 1, "the first event is not there")
        for number in range(300):
            assert client.post(V1, json={"instances": [ROW]}, headers={"x-request-id": str(number)}).status_code == 200
        with a_sink(port, file):
            wait_until(lambda: len(stored(file)) >= 301, "the events did not arrive")
        assert metric(server, "kelp_log_dropped_total") == 0
    assert sorted(event.request_id or "" for event in stored(file)) == sorted(["before", *map(str, range(300))])
    assert len({event.id for event in stored(file)}) == 301


def test_what_the_queue_cannot_hold_is_counted_as_dropped(
    tmp_path: Path, port: int, serve: Start, wait_until: WaitUntil
) -> None:
    file = tmp_path / "events"
    with serve("--log-queue", "10") as server, httpx.Client(base_url=server.url) as client:
        for _ in range(400):
            assert client.post(V1, json={"instances": [ROW]}).status_code == 200
        dropped = metric(server, "kelp_log_dropped_total")
        assert 0 < dropped < 400
        with a_sink(port, file):
            wait_until(lambda: len(stored(file)) + dropped >= 400, "the rest did not arrive")
        assert len(stored(file)) + metric(server, "kelp_log_dropped_total") == 400


def test_sigterm_under_load_answers_and_stores_every_accepted_request(
    tmp_path: Path, port: int, serve: Start, wait_until: WaitUntil
) -> None:
    file = tmp_path / "events"
    answered: list[str] = []
    failed: list[str] = []

    def load(worker: int, url: str) -> None:
        with httpx.Client(base_url=url, timeout=30) as client:
            for number in range(1_000_000):
                identity = f"{worker}-{number}"
                try:
                    status = client.post(V1, json={"instances": [ROW]}, headers={"x-request-id": identity}).status_code
                except httpx.ConnectError:
                    return  # a new connection, after the server said that it closes this one
                except httpx.TransportError as error:
                    failed.append(repr(error))
                    return
                answered.append(identity) if status == 200 else failed.append(str(status))

    with a_sink(port, file), serve() as server:
        workers = [threading.Thread(target=load, args=(worker, server.url)) for worker in range(4)]
        for worker in workers:
            worker.start()
        wait_until(lambda: len(answered) > 200, "nothing is answered")
        os.kill(server.process.pid, signal.SIGTERM)
        for worker in workers:
            worker.join(timeout=60)
        assert server.process.wait(timeout=30) == 0
    assert failed == []
    assert sorted(event.request_id or "" for event in stored(file)) == sorted(answered)


def test_sink_that_stays_away_does_not_hold_the_end_up(tmp_path: Path, serve: Start) -> None:
    with serve("--log-drain-seconds", "1") as server:
        assert httpx.post(server.url + V1, json={"instances": [ROW]}).status_code == 200
        os.kill(server.process.pid, signal.SIGTERM)
        assert server.process.wait(timeout=30) == 0
        assert "0 events sent, 1 dropped" in server.log.read_text()
