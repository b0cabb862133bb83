# SPDX-License-Identifier: Apache-2.0
"""The server process: what it refuses to serve, its log, its address, and its end."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from kelp.home import SIGNING_KEY, SIGNING_PUBLIC_KEY, ensure_home
from kelp.registry.signature import sign
from tests.local.serving.conftest import command, refused_start

ROW = {"amount": 12.5, "merchant": "shop", "is_foreign": True, "items": 2}
V1 = "/v1/models/fraud:predict"

Start = Callable[..., Any]
WaitUntil = Callable[[Callable[[], bool], str], None]
WriteVersion = Callable[[Path], Path]


def test_caller_that_hangs_up_in_its_request_harms_nobody(server: Any, client: httpx.Client) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as half:
        half.sendall(f"POST {V1} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n".encode() + b'{"inst')
    assert client.post(V1, json={"instances": [ROW]}).status_code == 200
    assert "Traceback" not in server.log.read_text()


def test_log_has_no_line_for_a_good_request_and_none_of_a_bad_ones_values(
    server: Any, client: httpx.Client, wait_until: WaitUntil
) -> None:
    before = server.log.read_text()
    for _ in range(5):
        client.post(V1, json={"instances": [ROW]})
    client.post(V1, json={"instances": [{**ROW, "amount": "secret-value"}]})
    wait_until(lambda: len(server.log.read_text()) > len(before), "the refusal was not logged")
    (line,) = server.log.read_text().removeprefix(before).splitlines()
    assert json.loads(line)["message"] == "400 RequestError at instances[0].amount"
    assert json.loads(line)["model"] == "fraud"


def test_server_listens_on_the_given_address_alone(server: Any) -> None:
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.2", port), timeout=5):
        pass


def test_sigterm_answers_what_has_arrived_and_ends_with_zero(
    tmp_path: Path, write_version: WriteVersion, start: Start, wait_until: WaitUntil
) -> None:
    folder = write_version(tmp_path / "1")
    with start(tmp_path / "log", "--model-name", "fraud", "--model-dir", str(folder)) as server:
        host, port = server.url.removeprefix("http://").split(":")
        body = json.dumps({"instances": [ROW]}).encode()
        with socket.create_connection((host, int(port)), timeout=30) as slow:
            head = f"POST {V1} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
            slow.sendall(head.encode() + body[:10])
            os.kill(server.process.pid, signal.SIGTERM)
            wait_until(lambda: refuses_connections(host, int(port)), "the server still listens")
            slow.sendall(body[10:])
            answer = slow.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 200")
        assert server.process.wait(timeout=30) == 0
        assert "Traceback" not in server.log.read_text()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
def test_sigterm_during_the_start_ends_with_zero(
    tmp_path: Path, write_version: WriteVersion, wait_until: WaitUntil
) -> None:
    folder = write_version(tmp_path / "1")
    arguments = ["--model-name", "fraud", "--model-dir", str(folder), "--http-port", "65432"]
    with (tmp_path / "log").open("wb") as output:
        process = subprocess.Popen(command(*arguments), stdout=output, stderr=output)
    try:
        wait_until(lambda: catches_sigterm(process.pid), "the process has no handler")
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
    assert b"serving fraud" not in (tmp_path / "log").read_bytes()


def catches_sigterm(pid: int) -> bool:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    caught = next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:"))
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def refuses_connections(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=5):
            return False
    except ConnectionRefusedError:
        return True


def test_changed_file_stops_the_start_with_exit_code_4(tmp_path: Path, write_version: WriteVersion) -> None:
    folder = write_version(tmp_path / "1")
    with (folder / "model.onnx").open("ab") as file:
        file.write(b"\0")
    code, message = refused_start("--model-name", "fraud", "--model-dir", str(folder))
    assert code == 4
    assert f"{folder / 'model.onnx'}: its SHA-256 is" in message
    assert "Traceback" not in message


def test_taken_port_stops_the_start_with_exit_code_4(tmp_path: Path, server: Any, write_version: WriteVersion) -> None:
    port = server.url.rpartition(":")[2]
    folder = write_version(tmp_path / "1")
    code, message = refused_start("--model-name", "fraud", "--model-dir", str(folder), "--http-port", port)
    assert code == 4
    assert f"127.0.0.1:{port}: cannot be listened on (Address already in use)" in message


def test_wrong_command_line_stops_the_start_with_exit_code_2() -> None:
    code, message = refused_start("--model-name", "fraud")
    assert code == 2
    assert "--model-name and --model-dir belong together" in message


def test_version_signed_with_the_given_key_is_served_and_others_are_not(
    tmp_path: Path, write_version: WriteVersion, start: Start
) -> None:
    ensure_home(tmp_path / "workspace")
    keys = tmp_path / "workspace" / "keys"
    folder = write_version(tmp_path / "1")
    arguments = ["--model-name", "fraud", "--model-dir", str(folder), "--public-key", str(keys / SIGNING_PUBLIC_KEY)]
    arguments += ["--verify", "required"]
    code, message = refused_start(*arguments)
    assert (code, "the version is not signed" in message) == (4, True)
    sign(folder, keys / SIGNING_KEY)
    with start(tmp_path / "log", *arguments) as server:
        assert httpx.post(server.url + V1, json={"instances": [ROW]}).status_code == 200
    (folder / "report.html").write_text("added later")
    code, message = refused_start(*arguments)
    assert (code, "report.html" in message) == (4, True)
