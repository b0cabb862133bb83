# SPDX-License-Identifier: Apache-2.0
"""The process that keeps events, as a real one."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from kelp.events import BATCH_TYPE, Prediction
from monitoring.events.store import EventStore
from tests.unit.monitoring.events.made import a_batch


@dataclass(frozen=True)
class Keeper:
    """A running process."""

    url: str
    process: "subprocess.Popen[bytes]"
    log: Path
    database: Path

    def send(self, *events: Prediction) -> httpx.Response:
        """Send one batch."""
        headers = {"content-type": BATCH_TYPE}
        return httpx.post(f"{self.url}/events", content=a_batch(*events), headers=headers, timeout=30)


def command(database: Path, port: int, *arguments: str) -> list[str]:
    """What is typed to start it."""
    return [sys.executable, "-m", "monitoring.events", "--database", str(database), "--port", str(port), *arguments]


@contextmanager
def keeping(folder: Path, *arguments: str, port: int | None = None, at: str = "127.0.0.1") -> Iterator[Keeper]:
    """Start a process on a port, wait until it is ready, and end it."""
    port = free_port() if port is None else port
    log, database = folder / "log", folder / "monitor" / "events.db"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command(database, port, *arguments), stdin=subprocess.PIPE, stdout=output, stderr=output
        )
    keeper = Keeper(f"http://{at}:{port}", process, log, database)
    try:
        wait_until(lambda: is_ready(keeper), "the process is not ready")
        yield keeper
    finally:
        process.kill()
        process.communicate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def is_ready(keeper: Keeper) -> bool:
    assert keeper.process.poll() is None, keeper.log.read_text()
    try:
        return httpx.get(f"{keeper.url}/health").status_code == 200
    except httpx.ConnectError:
        return False


def wait_until(condition: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + 60
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, otherwise
        pause.wait(0.02)


def kept(database: Path, request_id: str) -> list[Prediction]:
    """The events of a request in a file, whoever else has it open."""
    with EventStore(database, is_begun=True) as store:
        return store.find(request_id)
