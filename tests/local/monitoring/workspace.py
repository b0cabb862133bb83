# SPDX-License-Identifier: Apache-2.0
"""`kelp up` as a real process, in a workspace whose model was registered without a run."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from kelp.cli.server import read_up
from kelp.home import SIGNING_KEY, ensure_home, load_home
from kelp.registry import Registry
from kelp.registry.signature import sign
from tests.local.monitoring.process import wait_until
from tests.local.serving.conftest import a_version

ROW = {"amount": 12.5, "merchant": "shop", "is_foreign": True, "items": 2}
_KELP = (sys.executable, "-c", "from kelp.cli import main; main()")


@dataclass(frozen=True)
class Running:
    """`kelp up`, and what it started."""

    process: "subprocess.Popen[bytes]"
    workspace: Path
    log: Path

    @property
    def database(self) -> Path:
        """Where it keeps events."""
        return self.workspace / "monitor" / "events.db"

    def predict(self, request_id: str) -> None:
        """Have one row answered."""
        up = read_up(self.workspace)
        assert up is not None
        url = f"{up.address}/v1/models/fraud:predict"
        answer = httpx.post(url, json={"instances": [ROW]}, headers={"x-request-id": request_id}, timeout=30)
        assert answer.status_code == 200, answer.text

    def child(self, module: str) -> int:
        """The process that runs a module."""
        (found,) = [pid for pid in children(self.process.pid) if module in arguments_of(pid)]
        return found


def new_workspace(folder: Path) -> Path:
    """A workspace whose model `fraud` has one version, the champion."""
    workspace = folder / ".kelp"
    home = load_home(ensure_home(workspace))
    version = a_version(folder / "packaged")
    manifest = json.loads((version / "manifest.json").read_text())
    (version / "manifest.json").write_text(json.dumps({"run": "r-1", "result": "pass", **manifest}))
    sign(version, Path(home.keys) / SIGNING_KEY)
    registry = Registry.open(home, "user:test")
    with registry.log:
        registry.move("fraud", "champion", registry.add("fraud", "r-1", version), "passed")
    return workspace


@contextmanager
def up(workspace: Path, *arguments: str) -> Iterator[Running]:
    """Run `kelp up` until it says that it serves; end it, and whatever it left behind."""
    log = workspace / "log"
    with log.open("wb") as output:
        process = start(workspace, output.fileno(), *arguments)
    running = Running(process, workspace, log)
    known: set[int] = set()
    try:
        wait_until(lambda: is_serving(running), "it does not serve")
        known |= set(children(process.pid))
        yield running
    finally:
        known |= set(children(process.pid))
        process.kill()
        process.wait()
        for pid in filter(is_alive, known):
            os.kill(pid, signal.SIGKILL)


def start(workspace: Path, output: int, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start `kelp up`, in a process group of its own as a terminal does."""
    return subprocess.Popen(
        [*_KELP, "--workspace", str(workspace), "up", "--port", "0", *arguments],
        env={name: value for name, value in os.environ.items() if not name.startswith("KELP_")},
        stdout=output,
        stderr=output,
        process_group=0,
    )


def is_serving(running: Running) -> bool:
    assert running.process.poll() is None, running.log.read_text()
    return "Ctrl-C stops it" in running.log.read_text()


def children(pid: int) -> list[int]:
    """The processes that one started and that have not ended, as Linux lists them."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(found) for thread in threads for found in (thread / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def arguments_of(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def is_alive(pid: int) -> bool:
    """Whether it runs: neither gone nor a zombie."""
    return bool(arguments_of(pid) != [] and arguments_of(pid) != [""])
