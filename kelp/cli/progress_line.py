# SPDX-License-Identifier: Apache-2.0
"""The one line that moves: how far the running step is, on a terminal, once it has run for two seconds.

It is below everything else that is printed and gone when the step ends. A reader that is no terminal never sees it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.text import Text

if TYPE_CHECKING:
    from kelp.runs.progress import Progress

PATIENCE_S = 2.0
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


@dataclass(slots=True)
class ProgressLine:
    """What is shown now; `rich.live.Live` asks for it four times a second."""

    step: str = ""
    started: float = 0.0
    progress: "Progress | None" = None

    def start(self, step: str) -> None:
        """A step began."""
        self.step, self.started, self.progress = step, monotonic(), None

    def stop(self) -> None:
        """No step runs."""
        self.step, self.progress = "", None

    def show(self, progress: "Progress") -> None:
        """The running step came further."""
        self.progress = progress if progress.step == self.step else None

    def __rich__(self) -> Text:
        """The line as it is at this moment."""
        seconds = monotonic() - self.started
        return Text(line_text(self.step, seconds, self.progress), style="dim", no_wrap=True, overflow="ellipsis")


@contextmanager
def progress_line(console: Console) -> Iterator[ProgressLine]:
    """Show the line below the console's output while the block runs, if there is a terminal."""
    line = ProgressLine()
    if not console.is_terminal:
        yield line
        return
    with Live(line, console=console, transient=True, redirect_stdout=False, redirect_stderr=False):
        yield line


def line_text(step: str, seconds: float, progress: "Progress | None") -> str:
    """`prepare  6,300,000 of 10,000,000 rows  1.2 M rows/s  0:00:04`; nothing in a step's first two seconds."""
    if not step or seconds < PATIENCE_S:
        return ""
    parts = []
    if progress is not None:
        total = "" if progress.total is None else f" of {progress.total:,}"
        parts.append(f"{progress.done:,}{total} rows")
        parts += [] if progress.rate is None else [f"{_rate(progress.rate)} rows/s"]
    parts.append(str(timedelta(seconds=int(seconds))))
    return f"  {_FRAMES[int(seconds * 4) % len(_FRAMES)]} {step:<9} {'  '.join(parts)}"


def _rate(rate: float) -> str:
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if rate >= size:
            return f"{rate / size:.3g}{unit}"
    return f"{rate:.3g}"
