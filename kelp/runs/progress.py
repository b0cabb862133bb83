# SPDX-License-Identifier: Apache-2.0
"""How far a running step is: written by the step's process, read by the process that watches the run.

A step calls a `ProgressFile` as often as it likes; `<run>/steps/<step>.progress` changes at most five times a second.
It is no record: it is gone with the next attempt, and what cannot be read is not shown.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from kelp.runs.files import write_whole
from kelp.runs.record import StepRecord

PERIOD_S = 0.2


@dataclass(frozen=True, slots=True)
class Progress:
    """Rows done in `seconds` since the step began to count; `total` is None where the step does not know it."""

    step: str
    done: int
    total: int | None
    seconds: float

    @property
    def rate(self) -> float | None:
        """Rows a second; None in the first moment."""
        return self.done / self.seconds if self.seconds > 0 else None


@dataclass(slots=True)
class ProgressFile:
    """What a step calls with rows done and rows in all; `clock` gives seconds that never go back."""

    run_dir: Path
    step: str
    clock: Callable[[], float] = monotonic
    _started: float | None = field(default=None, init=False)
    _written: float = field(default=0.0, init=False)

    def __call__(self, done: int, total: int | None) -> None:
        """Say how many rows are done; the end is always written, anything else at most five times a second."""
        now = self.clock()
        if self._started is None:
            self._started = now
        elif now - self._written < PERIOD_S and done != total:
            return
        self._written = now
        path = _path(self.run_dir, self.step)
        path.parent.mkdir(exist_ok=True)
        text = json.dumps({"done": done, "total": total, "seconds": round(now - self._started, 3)})
        write_whole(path, text, durable=False)


def read_progress(run_dir: Path, step: str) -> Progress | None:
    """How far a step says it is; None where it says nothing that can be read."""
    try:
        content = json.loads(_path(run_dir, step).read_bytes())
        total = content["total"]
        return Progress(step, int(content["done"]), None if total is None else int(total), float(content["seconds"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


@dataclass(slots=True)
class ProgressWatch:
    """Tells of every change, once; kept by the process that watches a run."""

    run_dir: Path
    _known: dict[str, Progress] = field(default_factory=dict, init=False)

    def look(self, steps: Iterable[StepRecord]) -> list[Progress]:
        """What the running ones of these steps have done since the last look."""
        found = [read_progress(self.run_dir, step.step) for step in steps if step.state == "running"]
        changed = [one for one in found if one is not None and self._known.get(one.step) != one]
        self._known |= {one.step: one for one in changed}
        return changed


def _path(run_dir: Path, step: str) -> Path:
    return run_dir / "steps" / f"{step}.progress"
