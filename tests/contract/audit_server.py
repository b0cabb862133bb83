# SPDX-License-Identifier: Apache-2.0
"""A real audit service for tests: `python -m kelp.audit` on a home of its own and a free port."""

import hashlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from kelp.audit.client import HttpLog
from kelp.audit.identity import TOKENS_FILE
from kelp.home import ensure_home

START_TIMEOUT_S = 60.0
TRAINER = "token-of-the-trainer"
ROLLOUT = "token-of-the-rollout"
AUDITOR = "token-of-the-auditor"
IDENTITIES: dict[str, tuple[str, Sequence[str]]] = {
    TRAINER: ("trainer", ["append"]),
    ROLLOUT: ("rollout", ["append", "move"]),
    AUDITOR: ("auditor", []),
}


class AuditServer:
    """One service process; it can be killed and started again on the same home."""

    def __init__(self, folder: Path) -> None:
        self.home = ensure_home(folder)
        self.folder = folder / "audit"
        self.address = ""
        self._log = folder / "service.log"
        self._process: subprocess.Popen[bytes] | None = None
        write_tokens(folder / "keys" / TOKENS_FILE, IDENTITIES)

    def start(self, *options: str) -> None:
        """Start the service and wait until it answers."""
        command = [sys.executable, "-m", "kelp.audit", "--home", str(self.home), "--port", "0", *options]
        self._log.write_text("")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self.address = self._wait_for_address(self._process)
        httpx.get(f"{self.address}/healthz").raise_for_status()

    def _wait_for_address(self, process: subprocess.Popen[bytes]) -> str:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and process.poll() is None:
            if found := re.search(r"listening on (http://[0-9.:]+)", self._log.read_text()):
                return found[1]
            time.sleep(0.02)
        raise AssertionError(f"the audit service did not start:\n{self._log.read_text()}")

    def kill(self) -> None:
        """Kill the process the hard way."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Ask the process to stop, and wait for it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=30)
            self._process = None

    def log(self, token: str = ROLLOUT, *, transport: httpx.BaseTransport | None = None) -> HttpLog:
        """Return a client under one identity."""
        return HttpLog(self.address, token, transport=transport)


def write_tokens(path: Path, identities: Mapping[str, tuple[str, Sequence[str]]]) -> None:
    """Write a tokens file, whole."""
    content = {
        hashlib.sha256(token.encode()).hexdigest(): {"actor": actor, "may": list(may)}
        for token, (actor, may) in identities.items()
    }
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(content))
    temporary.replace(path)


@contextmanager
def running_audit_server(folder: Path, *options: str) -> Iterator[AuditServer]:
    """Run a service over an empty log."""
    server = AuditServer(folder)
    server.start(*options)
    try:
        yield server
    finally:
        server.kill()
