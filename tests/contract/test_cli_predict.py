# SPDX-License-Identifier: Apache-2.0
"""`kelp predict`: rows from files and stdin to a server, which here is one that only listens."""

import io
import json
import os
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from kelp.cli.server import Up, write_up
from tests.contract.command_line import CommandLine, command_line


class Listener(ThreadingHTTPServer):
    """Answers one prediction a row, keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, Any]] = []
        self.status = 200


class Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, body["instances"]))
        answer = {"predictions": [{"score": 0.5, "label": "jä"} for _ in body["instances"]]}
        content = json.dumps(answer if self.server.status == 200 else {"error": "instances[0].amount: no"}).encode()
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def kelp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    typed = command_line(tmp_path, monkeypatch, capsys)
    typed.champion()
    return typed


@pytest.fixture
def listener(kelp: CommandLine) -> Iterator[Listener]:
    with Listener() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        write_up(kelp.folder / ".kelp", Up(pid=os.getpid(), address=address, models={"fraud": 1}))
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        pytest.param("a.json", '[{"amount": 1}, {"amount": null}]', [{"amount": 1}, {"amount": None}], id="list"),
        pytest.param("a.json", '{"instances": [[1, "a"]]}', [[1, "a"]], id="V1 body"),
        pytest.param("a.json", '\ufeff{"amount": 1}', [{"amount": 1}], id="object with a byte order mark"),
        pytest.param("a.jsonl", '{"amount": 1}\n{"amount": 2}\n', [{"amount": 1}, {"amount": 2}], id="lines"),
        pytest.param(
            "a.csv", "amount;shop\n1.5;ä\n;\n", [{"amount": 1.5, "shop": "ä"}, {"amount": None, "shop": None}], id="CSV"
        ),
    ],
)
def test_every_kind_of_input_is_asked_and_answered_a_line_a_row(
    kelp: CommandLine, listener: Listener, name: str, content: str, rows: list[Any]
) -> None:
    (kelp.folder / name).write_text(content, encoding="utf-8")
    said = kelp("predict", "fraud", "--input", name)
    assert (said.code, said.err) == (0, "")
    assert listener.asked == [("/v1/models/fraud:predict", rows)]
    assert said.out == '{"score": 0.5, "label": "jä"}\n' * len(rows)


def test_rows_come_from_stdin_and_only_the_first_are_sent(kelp: CommandLine, listener: Listener) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b'[{"amount": 1}, {"amount": 2}]'))
    kelp.monkeypatch.setattr(sys, "stdin", stdin)
    said = kelp("predict", "fraud", "--input", "-", "--limit", "1")
    assert (said.code, listener.asked[0][1]) == (0, [{"amount": 1}])


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        pytest.param("a.json", b"", "a.json: is not JSON", id="empty"),
        pytest.param("a.csv", b"", "a.csv: expected rows, found none", id="empty CSV"),
        pytest.param("a.json", b"amount\n1", "a.json: is not JSON", id="not JSON"),
        pytest.param("a.json", b"\xff\xfe", "a.json: expected UTF-8, found another encoding", id="not UTF-8"),
        pytest.param("b.json", b"[]", "a.json: cannot be read (No such file or directory)", id="missing file"),
    ],
)
def test_wrong_input_is_2_and_nothing_is_sent(
    kelp: CommandLine, listener: Listener, name: str, content: bytes, error: str
) -> None:
    (kelp.folder / name).write_bytes(content)
    said = kelp("predict", "fraud", "--input", "a.csv" if name == "a.csv" else "a.json")
    assert (said.code, listener.asked) == (2, [])
    assert said.err.startswith(f"error: {error}")


def test_what_the_server_refuses_is_2_with_its_words(kelp: CommandLine, listener: Listener) -> None:
    listener.status = 400
    (kelp.folder / "a.json").write_text("[{}]")
    said = kelp("predict", "fraud", "--input", "a.json")
    assert said.code == 2
    assert 'the server answered 400: {"error": "instances[0].amount: no"}' in said.err


def test_no_server_is_4_and_says_how_to_start_one(kelp: CommandLine) -> None:
    (kelp.folder / "a.json").write_text("[{}]")
    said = kelp("predict", "fraud", "--input", "a.json")
    assert said.code == 4
    assert said.err.splitlines()[-1] == "  fix: kelp up starts it"


def test_a_server_that_does_not_listen_is_4(kelp: CommandLine) -> None:
    write_up(kelp.folder / ".kelp", Up(pid=os.getpid(), address="http://127.0.0.1:1", models={"fraud": 1}))
    (kelp.folder / "a.json").write_text("[{}]")
    said = kelp("predict", "fraud", "--input", "a.json")
    assert said.code == 4
    assert "the server does not answer" in said.err


def test_a_model_without_champion_is_2(kelp: CommandLine) -> None:
    said = kelp("predict", "churn", "--input", "a.json")
    assert said.code == 2
    assert "known models: fraud" in said.err
