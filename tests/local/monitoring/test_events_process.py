# SPDX-License-Identifier: Apache-2.0
"""The process that keeps events: killed, told to end, without space, and started wrongly."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from functools import partial
from itertools import count
from pathlib import Path

import httpx
import pytest

from kelp.events import BATCH_TYPE
from tests.local.monitoring.process import command, free_port, keeping, kept, wait_until
from tests.unit.monitoring.events.made import a_batch, a_prediction

SEND = f"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: {BATCH_TYPE}\r\nContent-Length: "


def test_what_was_accepted_outlives_kill_9_and_the_same_batch_is_stored_once(tmp_path: Path) -> None:
    port = free_port()
    with keeping(tmp_path, port=port) as keeper:
        assert keeper.send(a_prediction(1), a_prediction(2)).json() == {"stored": 2, "repeated": 0}
        keeper.process.kill()
        assert keeper.process.wait(30) == -signal.SIGKILL
        assert kept(keeper.database, "request-2") == [a_prediction(2)]
    with keeping(tmp_path, port=port) as again:
        assert again.send(a_prediction(2), a_prediction(3)).json() == {"stored": 1, "repeated": 1}
        assert len(kept(again.database, "request-2")) == 1
        lines = httpx.get(f"{again.url}/metrics").text.splitlines()
    assert {"kelp_events_stored_total 3.0", "kelp_events_repeated_total 1.0"} <= set(lines)


def test_kill_9_under_load_loses_nothing_that_was_accepted(tmp_path: Path) -> None:
    accepted: list[int] = []

    def load(url: str, numbers: "count[int]") -> None:
        headers = {"content-type": BATCH_TYPE}
        with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
            for number in numbers:
                try:
                    answer = client.post("/events", content=a_batch(a_prediction(number)))
                except httpx.TransportError:
                    return
                assert answer.status_code == 202
                accepted.append(number)

    for start in (0, 1_000_000):
        with keeping(tmp_path) as keeper:
            numbers = count(start)
            workers = [threading.Thread(target=load, args=(keeper.url, numbers)) for _ in range(3)]
            for worker in workers:
                worker.start()
            wait_until(partial(has_grown, accepted, len(accepted) + 100), "nothing is accepted")
            keeper.process.kill()
            for worker in workers:
                worker.join(60)
    lost = [number for number in accepted if len(kept(keeper.database, f"request-{number}")) != 1]
    assert lost == []


def has_grown(numbers: list[int], size: int) -> bool:
    return len(numbers) > size


@pytest.mark.parametrize("arguments", [[], ["--until-stdin-closes"]], ids=["alone", "started by another"])
def test_sigterm_stores_and_answers_what_has_arrived_and_ends_with_zero(tmp_path: Path, arguments: list[str]) -> None:
    body = a_batch(a_prediction(7))
    with keeping(tmp_path, *arguments) as keeper:
        host, port = keeper.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as slow:
            slow.sendall(f"{SEND}{len(body)}\r\n\r\n".encode() + body[:10])
            os.kill(keeper.process.pid, signal.SIGTERM)
            wait_until(lambda: is_refused(host, int(port)), "it still listens")
            slow.sendall(body[10:])
            assert slow.recv(65_536).startswith(b"HTTP/1.1 202")
        assert keeper.process.wait(30) == 0
        assert "Traceback" not in keeper.log.read_text()
    assert kept(keeper.database, "request-7") == [a_prediction(7)]
    assert sorted(path.name for path in keeper.database.parent.iterdir()) == ["events.db"]


def is_refused(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=5):
            return False
    except ConnectionRefusedError:
        return True


def test_a_sender_that_hangs_up_harms_nobody(tmp_path: Path) -> None:
    with keeping(tmp_path) as keeper:
        host, port = keeper.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as half:
            half.sendall(f"{SEND}1000\r\n\r\n[".encode())
        assert keeper.send(a_prediction(1)).status_code == 202
        assert "Traceback" not in keeper.log.read_text()


def test_a_body_over_the_limit_is_413_on_a_connection_that_goes_on(tmp_path: Path) -> None:
    with keeping(tmp_path, "--max-body-bytes", "3000") as keeper, httpx.Client(base_url=keeper.url) as client:
        headers = {"content-type": BATCH_TYPE}
        assert client.post("/events", content=a_batch(a_prediction(1)) + b" " * 1_000_000, headers=headers).is_error
        assert client.post("/events", content=a_batch(a_prediction(1)), headers=headers).status_code == 202


def test_it_ends_when_whoever_started_it_has_ended(tmp_path: Path) -> None:
    with keeping(tmp_path, "--until-stdin-closes") as keeper:
        assert keeper.send(a_prediction(1)).status_code == 202
        assert keeper.process.stdin is not None
        keeper.process.stdin.close()
        assert keeper.process.wait(30) == 0


def test_it_listens_on_this_machine_alone(tmp_path: Path) -> None:
    with keeping(tmp_path) as keeper:
        port = int(keeper.url.rpartition(":")[2])
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.2", port), timeout=5):
            pass


@pytest.mark.parametrize("host", ["::1", "0:0:0:0:0:0:0:1", "::"])
def test_it_answers_at_an_address_of_ipv6(tmp_path: Path, host: str) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with keeping(tmp_path, "--host", host, at="[::1]") as keeper:
        assert keeper.send(a_prediction(1)).status_code == 202
        assert httpx.get(f"{keeper.url}/health", headers={"host": "evil.test"}).status_code == 400


def refused_start(database: Path, port: int, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(command(database, port, *arguments), capture_output=True, timeout=60, check=False)
    assert b"Traceback" not in done.stderr
    return done.returncode, done.stderr.decode()


def test_a_taken_port_and_a_damaged_file_are_4_and_named(tmp_path: Path) -> None:
    with keeping(tmp_path) as keeper:
        port = int(keeper.url.rpartition(":")[2])
        code, said = refused_start(tmp_path / "other.db", port)
        assert (code, f"127.0.0.1:{port}: cannot be listened on" in said) == (4, True)
    code, said = refused_start(tmp_path / "other.db", 0, "--listen-fd", "999")
    assert (code, "--listen-fd 999: cannot be listened on (Bad file descriptor)" in said) == (4, True)
    (tmp_path / "broken.db").write_bytes(b"something else" * 1_000)
    code, said = refused_start(tmp_path / "broken.db", 0)
    assert (code, f"{tmp_path}/broken.db: the store of events is damaged" in json.loads(said)["message"]) == (4, True)
    assert "move the file away" in said


@pytest.mark.parametrize("arguments", [("--port", "70000"), ("--most-events", "0"), ("--data", "x")], ids=str)
def test_a_wrong_command_line_is_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert refused_start(tmp_path / "events.db", 0, *arguments)[0] == 2
    assert list(tmp_path.iterdir()) == []


FULL_DISK = """
import os, sys
from pathlib import Path
from tests.local.monitoring.process import keeping, kept
from tests.unit.monitoring.events.made import a_prediction

def large(number):
    return a_prediction(number, inputs={"text": ["x" * 50_000]})

disk = Path(os.environ["DISK"])
(disk / "filler").write_bytes(bytes(1 << 20))
with keeping(disk) as keeper:
    number = 0
    while (answer := keeper.send(large(number))).status_code == 202:
        number += 1
    print(number > 5, answer.status_code, answer.json()["error"], "|", answer.json()["fix"])
    print(keeper.send(large(number)).status_code, kept(keeper.database, f"request-{number}"))
    (disk / "filler").unlink()
    print(keeper.send(large(number)).status_code, len(kept(keeper.database, f"request-{number}")))
    print(all(kept(keeper.database, f"request-{one}") for one in range(number)), keeper.process.poll())
"""


def test_a_full_disk_is_503_until_there_is_space_again(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["unshare", "--map-root-user", "--mount", "sh", "-ec", 'mount -t tmpfs -o size=3m none "$DISK"; "$@"', "sh"]
    environment = {**os.environ, "DISK": str(disk)}
    if not shutil.which("unshare") or subprocess.run([*mount, "true"], env=environment, check=False).returncode:
        pytest.skip("this system lets tests mount no disk of their own")
    done = subprocess.run(
        [*mount, sys.executable, "-c", FULL_DISK], env=environment, capture_output=True, text=True, timeout=120
    )
    full = f"{disk}/monitor/events.db: the events cannot be kept or read (database or disk is full)"
    expected = [f"True 503 {full} | free some space on its disk", "503 []", "202 1", "True None"]
    assert done.stdout.splitlines() == expected, done.stderr
