# SPDX-License-Identifier: Apache-2.0
"""`kelp up` keeps every answered request, whichever of its processes is killed or told to end."""

import os
import signal
import socket
import sys
import threading
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from monitoring.events.store import EventStore
from tests.local.monitoring.process import kept, wait_until
from tests.local.monitoring.workspace import Running, arguments_of, children, is_alive, new_workspace, start, up

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")

EVENTS, SERVER = "monitoring.events", "serving.runtime"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = new_workspace(tmp_path / "a laptop")
    (folder / "monitor").mkdir(mode=0o755)  # as an earlier kelp made it
    return folder


def is_kept(running: Running, request_id: str) -> bool:
    return len(kept(running.database, request_id)) == 1


def events_port(running: Running) -> int:
    words = arguments_of(running.child(SERVER))
    port = urlsplit(words[words.index("--log-url") + 1]).port
    assert port is not None
    return port


def is_taken(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return False
    except OSError:
        return True


@pytest.mark.parametrize("is_typed", [pytest.param(False, id="SIGTERM"), pytest.param(True, id="Ctrl-C")])
def test_what_was_answered_is_kept_when_it_is_told_to_end(workspace: Path, is_typed: bool) -> None:
    with up(workspace) as running:
        assert f"events  {running.database}" in running.log.read_text()
        for number in range(100):
            running.predict(f"r-{number}")
        (os.killpg if is_typed else os.kill)(running.process.pid, signal.SIGINT if is_typed else signal.SIGTERM)
        assert running.process.wait(60) == 0
        assert all(is_kept(running, f"r-{number}") for number in range(100))
        assert "Traceback" not in running.log.read_text()
        assert sorted(path.name for path in running.database.parent.iterdir()) == ["events.db"]
        assert [path.stat().st_mode & 0o777 for path in (running.database.parent, running.database)] == [0o700, 0o600]


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param([signal.SIGINT], id="Ctrl-C"),
        pytest.param([signal.SIGINT] * 3, id="Ctrl-C thrice"),
        pytest.param([signal.SIGTERM, signal.SIGINT], id="SIGTERM, then Ctrl-C"),
        pytest.param([signal.SIGHUP], id="the terminal is closed"),
    ],
)
def test_signals_to_the_group_under_load_keep_every_answered_requests_event(
    workspace: Path, numbers: list[signal.Signals]
) -> None:
    answered: list[str] = []

    def load(worker: int) -> None:
        for number in count():
            identity = f"{worker}-{number}"
            try:
                running.predict(identity)
            except (httpx.TransportError, AssertionError):
                return  # it ends
            answered.append(identity)

    with up(workspace) as running:
        workers = [threading.Thread(target=load, args=(worker,)) for worker in range(3)]
        for worker in workers:
            worker.start()
        wait_until(lambda: len(answered) > 100, "nothing is answered")
        for number in numbers:
            os.killpg(running.process.pid, number)
            threading.Event().wait(0.1)
        assert running.process.wait(60) == 0
        for worker in workers:
            worker.join(60)
        said = running.log.read_text()
        lost = [identity for identity in answered if not is_kept(running, identity)]
    assert (lost, "Traceback" in said) == ([], False)
    assert ", none dropped" in said


def test_events_that_are_answered_while_their_process_is_dead_arrive(workspace: Path) -> None:
    with up(workspace) as running:
        running.predict("before")
        wait_until(lambda: is_kept(running, "before"), "the first event did not arrive")
        dead = running.child(EVENTS)
        port = events_port(running)
        os.kill(dead, signal.SIGKILL)
        assert is_taken(port)  # nobody else can be sent the events
        running.predict("meanwhile")
        wait_until(lambda: is_kept(running, "meanwhile"), "the second event did not arrive")
        assert "the process that keeps events ended with exit code -9; it is started again" in running.log.read_text()
        assert running.child(EVENTS) != dead
        assert events_port(running) == port
        assert dead not in children(running.process.pid)
        running.process.terminate()
        assert running.process.wait(60) == 0


def test_a_killed_server_ends_everything(workspace: Path) -> None:
    with up(workspace) as running:
        events = running.child(EVENTS)
        os.kill(running.child(SERVER), signal.SIGKILL)
        assert running.process.wait(60) == 4
        assert "the server ended with exit code -9" in running.log.read_text()
        assert not is_alive(events)
        assert not (workspace / "up.json").exists()


def test_its_own_death_ends_the_process_that_keeps_events(workspace: Path) -> None:
    with up(workspace) as running:
        events = running.child(EVENTS)
        running.process.kill()
        wait_until(lambda: not is_alive(events), "it lives on")
        with EventStore(running.database, is_begun=True) as store:
            assert store.count() == 0


def test_no_events_keeps_none(workspace: Path) -> None:
    with up(workspace, "--no-events") as running:
        running.predict("r-1")
        assert len(children(running.process.pid)) == 1
        running.process.terminate()
        assert running.process.wait(60) == 0
    assert list((workspace / "monitor").iterdir()) == []


def test_a_store_that_cannot_be_used_stops_the_start_and_nothing_stays(workspace: Path) -> None:
    database = workspace / "monitor" / "events.db"
    database.write_bytes(b"something else" * 1_000)
    with (workspace / "log").open("wb") as output:
        process = start(workspace, output.fileno())
    seen: set[int] = set()

    def has_ended() -> bool:
        seen.update(children(process.pid))
        return process.poll() is not None

    wait_until(has_ended, "it did not end")
    said = (workspace / "log").read_text()
    assert process.returncode == 4
    assert f"{database}: the store of events is damaged" in said
    assert "the process that keeps events ended with exit code 4" in said
    assert len(seen) >= 2
    assert not any(map(is_alive, seen))
