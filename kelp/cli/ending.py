# SPDX-License-Identifier: Apache-2.0
"""The end of a process that a command runs in the foreground: asked for by a signal, passed on once."""

import signal
import subprocess
from threading import Timer
from types import FrameType, TracebackType
from typing import Any, Self

_ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_KILL_AFTER_S = 60.0  # more than a model server takes to finish requests and to send its log


class Ending:
    """Passes the first signal that asks for the end on to a process, as one SIGTERM; those after it change nothing.

    Asked twice a server would not wait for answers that are under way, nor send their events; so it is in a session of
    its own, which Ctrl-C does not reach. No handler raises: what is raised while Python itself is at work, in an import
    or in the collector, is printed and lost.
    """

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.is_asked = False
        self._process = process
        self._before: dict[signal.Signals, Any] = {}
        self._timer = Timer(_KILL_AFTER_S, process.kill)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        for number in _ASKING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.wait()
        self._timer.cancel()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def ask(self) -> None:
        """Ask the process for its end, once; it is killed if it takes a minute."""
        if not self.is_asked:
            self.is_asked = True
            self._process.terminate()
            self._timer.start()

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self.ask()
