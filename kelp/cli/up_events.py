# SPDX-License-Identifier: Apache-2.0
"""The process that keeps events while `kelp up` serves: started first, started again if it dies, ended last.

It is in a session of its own: Ctrl-C reaches the model server alone, whose last events it still has to store. Should
`kelp up` be killed, its stdin closes, and it ends as well. The port is bound here, once: events that are sent while no
process keeps them wait in it, and nobody else can take it meanwhile.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

from kelp.cli.processes import wait_ready

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_GRACE_S = 15.0


def events_database(workspace: Path) -> Path:
    """Where a workspace keeps events."""
    return workspace / "monitor" / "events.db"


class EventsProcess:
    """`python -m monitoring.events` at one port; `say` tells the user that it had to be started again."""

    def __init__(self, database: Path, say: Callable[[str], object]) -> None:
        self.database = database
        self._say = say
        _close_to_others(database.parent)
        self._bound = socket.create_server(("127.0.0.1", 0))
        self._lock = Lock()  # for `_process`, and whether another may take its place
        self._is_ending = Event()
        self._thread = Thread(target=self._run, name="events", daemon=True)
        self._process = self._started()

    @property
    def url(self) -> str:
        """Where events are sent to."""
        return f"http://127.0.0.1:{self._port}/events"

    @property
    def _port(self) -> int:
        return int(self._bound.getsockname()[1])

    def keep_running(self) -> None:
        """Wait until it is ready, and from then on start it again whenever it dies.

        Raises:
            EnvironmentFault: it does not become ready; it has said why.
        """
        wait_ready(f"http://127.0.0.1:{self._port}/health", self._process, "the process that keeps events")
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._is_ending.set()
        self._process.terminate()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._process.communicate()
        self._bound.close()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause, since = _FIRST_PAUSE_S, time.monotonic()
        while True:
            code = self._process.wait()
            if self._is_ending.is_set():
                return
            self._say(f"the process that keeps events ended with exit code {code}; it is started again")
            if self._is_ending.wait(pause):
                return
            is_soon = time.monotonic() - since < _LONGEST_PAUSE_S
            pause, since = min(2 * pause, _LONGEST_PAUSE_S) if is_soon else _FIRST_PAUSE_S, time.monotonic()
            self._start_again()

    def _start_again(self) -> None:
        with self._lock:
            if self._is_ending.is_set():
                return
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process = self._started()

    def _started(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "monitoring.events", "--database", str(self.database)]
        return subprocess.Popen(
            [*command, "--listen-fd", str(self._bound.fileno()), "--until-stdin-closes"],
            env={**os.environ, "PYTHONSAFEPATH": "1"},
            stdin=subprocess.PIPE,
            pass_fds=[self._bound.fileno()],
            start_new_session=True,
        )


def _close_to_others(folder: Path) -> None:
    """Make the folder for its owner alone, also one that an earlier kelp made; it holds what callers sent."""
    with suppress(OSError):  # the process that keeps events says what is wrong with it
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
