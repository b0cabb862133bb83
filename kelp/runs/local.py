# SPDX-License-Identifier: Apache-2.0
"""Run a compiled pipeline on this machine, in processes of its own, and say how it goes.

`run_local` starts a created run and resumes a failed or killed one; the two are the same act, because finished steps
leave receipts (`kelp.runs.receipt`). This process only watches: the pipeline runs in `kelp.runs.child`.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree
from typing import Any

from kelp.errors import EnvironmentFault
from kelp.runs.code import code_digest, package_versions
from kelp.runs.failure import failure_of_run
from kelp.runs.files import write_whole
from kelp.runs.lock import owned
from kelp.runs.progress import Progress, ProgressWatch
from kelp.runs.receipt import read_receipt
from kelp.runs.record import (
    Attempt,
    Failure,
    RunRecord,
    RunState,
    StepRecord,
    StepState,
    read_record,
    read_steps,
    write_record,
)

_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class StepEvent:
    """A step changed its state; `seconds` is None while it runs, `error` is set when it failed."""

    step: str
    state: StepState
    seconds: float | None
    result: Mapping[str, Any]
    error: Failure | None


def utc_now() -> datetime:
    """The clock of every record."""
    return datetime.now(UTC)


def _ignore(_: Progress) -> None:
    """Nobody asked how far a step is."""


def run_local(
    run_dir: Path,
    *,
    home_file: Path,
    on_event: Callable[[StepEvent], None],
    on_progress: Callable[[Progress], None] = _ignore,
    environment: Mapping[str, str] | None = None,
    now: Callable[[], datetime] = utc_now,
) -> RunRecord:
    """Run, or resume, the run that `runs.create_run` made; return when it has ended.

    Args:
        run_dir: the run's folder, with pipeline.yaml and run.json.
        home_file: the home.toml that every step reads.
        on_event: called in this thread when a step's state changed; one that lasted less than 0.1 s may be skipped.
        on_progress: called in this thread when a running step has said how many rows it has done.
        environment: of the steps; this process's own by default.
        now: the clock.

    Returns:
        The final record: `state` succeeded or failed, and in the second case `failure` with the step's own error.

    Raises:
        Conflict: the run is still running.
        EnvironmentFault: no process can be started from this interpreter.
    """
    run_dir = run_dir.resolve()
    with owned(run_dir):
        record = _begin(run_dir, now())
        watcher = _Watcher(run_dir, record, on_event, on_progress)
        try:
            exit_code = _watch(run_dir, home_file.resolve(), environment or os.environ, watcher)
        except BaseException:  # Ctrl-C, or on_event raised: nothing keeps running, and the record says so
            watcher.end("interrupted", None, now())
            raise
        if exit_code == 0:
            return watcher.end("succeeded", None, now())
        return watcher.end("failed", failure_of_run(run_dir, read_steps(run_dir)), now())


class _Watcher:
    """Follows the steps' records and keeps run.json up to date with them."""

    def __init__(
        self,
        run_dir: Path,
        record: RunRecord,
        on_event: Callable[[StepEvent], None],
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._run_dir = run_dir
        self._record = record
        self._on_event = on_event
        self._on_progress = on_progress
        self._progress = ProgressWatch(run_dir)

    def look(self) -> None:
        """Tell of every step whose state changed since the last look, and of how far the running ones are."""
        steps = read_steps(self._run_dir)
        self._tell(steps)
        for progress in self._progress.look(steps):
            self._on_progress(progress)

    def _tell(self, steps: tuple[StepRecord, ...]) -> None:
        known = {step.step: step.state for step in self._record.steps}
        changed = [step for step in steps if known.get(step.step) != step.state]
        if not changed:
            return
        self._record = self._record.model_copy(update={"steps": steps})
        write_record(self._run_dir / "run.json", self._record)
        for step in changed:
            self._on_event(StepEvent(step.step, step.state, step.seconds, step.result, step.error))

    def end(self, state: RunState, failure: Failure | None, at: datetime) -> RunRecord:
        """Write the run's outcome and its report."""
        last = self._record.attempts[-1].model_copy(update={"finished": at, "state": state})
        self._record = self._record.model_copy(
            update={
                "state": state,
                "failure": failure,
                "steps": read_steps(self._run_dir),
                "attempts": (*self._record.attempts[:-1], last),
            }
        )
        judged = self._record.step("evaluate")
        if judged and judged.state in ("done", "reused"):
            _copy_report(self._run_dir)
        write_record(self._run_dir / "run.json", self._record)
        return self._record


def _begin(run_dir: Path, at: datetime) -> RunRecord:
    """Clear what an earlier attempt left half done, and write down that one more begins."""
    record = read_record(RunRecord, run_dir / "run.json")
    earlier = tuple(
        attempt.model_copy(update={"state": "interrupted"}) if attempt.state == "running" else attempt
        for attempt in record.attempts
    )
    rmtree(run_dir / "steps", ignore_errors=True)
    for partial in run_dir.glob("tasks/*/*/.*.partial"):
        rmtree(partial)
    record = record.model_copy(
        update={
            "state": "running",
            "failure": None,
            "steps": (),
            "code_digest": code_digest(),
            "packages": package_versions(),
            "attempts": (*earlier, Attempt(started=at)),
        }
    )
    write_record(run_dir / "run.json", record)
    return record


def _watch(run_dir: Path, home_file: Path, environment: Mapping[str, str], watcher: _Watcher) -> int:
    """Start the child and follow it to its end; return its exit code."""
    with tempfile.TemporaryDirectory(prefix="kelp-run-") as scratch:
        step_environment = {
            **environment,
            "PATH": os.pathsep.join([str(_interpreter_folder()), environment.get("PATH", os.defpath)]),
            "PYTHONSAFEPATH": "1",  # a `components` folder where the user happens to be is not ours
            "TMPDIR": scratch,  # kfp.local leaves a folder there for every step
            "KELP_HOME": str(home_file),
            "KELP_RUN_DIR": str(run_dir),
        }
        with _child(run_dir, step_environment) as process:
            while process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_POLL_S)
                watcher.look()
            return process.returncode


@contextmanager
def _child(run_dir: Path, environment: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """The child in a session of its own; when the block ends, so does every process of that session."""
    with (run_dir / "run.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "kelp.runs.child", str(run_dir)],
            stdin=subprocess.PIPE,  # closes with this process: the child's sign to die
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    with process:
        try:
            yield process
        finally:
            if process.returncode != 0:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def _interpreter_folder() -> Path:
    """The folder whose `python3` is this interpreter.

    Raises:
        EnvironmentFault: there is no such `python3`; steps are started by that name.
    """
    folder = Path(sys.executable).parent
    named = folder / "python3"
    if not named.exists() or not named.samefile(sys.executable):
        raise EnvironmentFault(
            f"expected {named} to be the interpreter that runs kelp",
            place=sys.executable,
            fix="run kelp from a virtual environment",
        )
    return folder


def _copy_report(run_dir: Path) -> None:
    """Put the evaluation's report beside run.json, where people look for it."""
    receipt = read_receipt(run_dir, "evaluate")
    output = receipt.outputs.get("evaluation") if receipt else None
    report = run_dir / output.path / "report.html" if output else None
    if report and report.exists():
        write_whole(run_dir / "report.html", report.read_text(encoding="utf-8"))
