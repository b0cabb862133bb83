# SPDX-License-Identifier: Apache-2.0
"""Why a run failed: the failing step's own words, never the runner's "finished with status FAILURE"."""

import re
from collections.abc import Sequence
from pathlib import Path

from kelp import errors
from kelp.errors import KelpError
from kelp.runs.record import Failure, StepRecord

_TAIL_BYTES = 256 * 1024
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_FIRST_LINE = "Traceback (most recent call last):"


def failure_of_run(run_dir: Path, steps: Sequence[StepRecord]) -> Failure:
    """Explain a run that ended without success, as far as its files tell."""
    failed = next((step for step in steps if step.error is not None), None)
    if failed is not None and failed.error is not None:
        return failed.error
    log = run_dir / "run.log"
    running = next((step for step in steps if step.state == "running"), None)
    if running is not None:
        return Failure(
            step=running.step,
            type="Killed",
            message=f"the step {running.step} ended without a word: it was killed, or the machine ran out of memory",
            place=str(log),
            fix="resume the run; finished steps are not repeated",
        )
    traceback = last_traceback(log)
    if not traceback:
        return Failure(step="", type="Killed", message="the runner ended without a word", place=str(log))
    name, _, message = traceback.splitlines()[-1].partition(": ")
    kind = getattr(errors, name.rpartition(".")[2], KelpError)
    return Failure(
        step="",
        type=name,
        message=message or name,
        exit_code=kind.exit_code,
        place=str(log),
        fix="read the end of this log",
        traceback=traceback,
    )


def last_traceback(log: Path) -> str:
    """The last Python traceback of a log, or "" if it holds none; kfp's colours and indentation are taken off."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        lines = _ANSI.sub("", file.read().decode("utf-8", errors="replace")).splitlines()
    starts = [number for number, line in enumerate(lines) if line.strip() == _FIRST_LINE]
    if not starts:
        return ""
    indent = len(lines[starts[-1]]) - len(lines[starts[-1]].lstrip())
    found = [lines[starts[-1]][indent:]]
    for line in lines[starts[-1] + 1 :]:
        found.append(line[indent:])
        if not line[indent:].startswith(" "):  # the exception itself ends a traceback
            break
    return "\n".join(found)
