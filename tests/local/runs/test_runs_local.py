# SPDX-License-Identifier: Apache-2.0
"""Real runs of a tiny pipeline (beside this file), in real processes, killed and resumed."""

import builtins
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kelp.errors import Conflict
from kelp.home import Home, ensure_home, load_home
from kelp.runs.local import StepEvent, run_local
from kelp.runs.receipt import read_receipt
from kelp.runs.record import RunRecord, StepRecord
from kelp.runs.runs import Identity, create_run, list_runs, read_run, resumable_run
from kelp.spec import Model, model_from_values

HERE = Path(__file__).parent
PATIENCE_S = 30.0


def a_model(name: str = "tiny") -> Model:
    data = {"source": "data://tiny.csv", "target": "y", "positive": "1"}
    values = {"apiVersion": "kelp.dev/v1alpha1", "kind": "Model", "metadata": {"name": name}}
    return model_from_values({**values, "spec": {"task": "binary", "data": data}}, "test")


@dataclass(frozen=True, slots=True)
class Workspace:
    """One home, the tiny pipeline, and the folder that steers its steps."""

    home_file: Path
    control: Path
    pipeline: str

    @property
    def home(self) -> Home:
        return load_home(self.home_file)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(HERE)}

    def new_run(self, value: str = "seven", token: str = "beef") -> Path:
        parameters = {"value": value, "control": str(self.control)}
        identity = Identity(now=lambda: datetime.now(UTC), token=lambda: token)
        return create_run(self.home, a_model(), self.pipeline, parameters, identity)

    def run(self, run_dir: Path, on_event: Callable[[StepEvent], None] = lambda _: None) -> RunRecord:
        return run_local(run_dir, home_file=self.home_file, on_event=on_event, environment=self.environment)

    def start(self, run_dir: Path, python: str = sys.executable) -> "subprocess.Popen[str]":
        """Run it in a process of its own."""
        return subprocess.Popen(
            [python, str(HERE / "start.py"), str(run_dir), str(self.home_file)],
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )

    def order(self, name: str) -> None:
        (self.control / name).touch()

    def cancel(self, name: str) -> None:
        (self.control / name).unlink()

    def calls(self) -> list[str]:
        return (self.control / "calls").read_text().split()

    def pid_of(self, step: str) -> int:
        """The process of a step that hangs, once it does."""
        path = self.control / f"{step}.pid"
        wait_until(lambda: path.exists() and path.read_text() != "")
        return int(path.read_text())


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def tiny_pipeline(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("tiny") / "tiny.yaml"
    subprocess.run([sys.executable, str(HERE / "tiny_pipeline.py"), str(path)], check=True)
    return path.read_text()


@pytest.fixture
def workspace(tmp_path: Path, tiny_pipeline: str) -> Workspace:
    control = tmp_path / "control"
    control.mkdir()
    return Workspace(ensure_home(tmp_path / "a workspace with spaces"), control, tiny_pipeline)


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie whose parent has not looked yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def step(record: RunRecord, name: str) -> StepRecord:
    found = record.step(name)
    assert found is not None
    return found


def digest(run_dir: Path, name: str, output: str) -> str:
    receipt = read_receipt(run_dir, name)
    assert receipt is not None
    return receipt.outputs[output].digest


def folder(run_dir: Path, name: str, output: str) -> Path:
    receipt = read_receipt(run_dir, name)
    assert receipt is not None
    return run_dir / receipt.outputs[output].path


def test_a_run_succeeds_and_leaves_its_record(workspace: Workspace) -> None:
    seen: list[StepEvent] = []
    printed = builtins.print

    run_dir = workspace.new_run("seven python3")
    record = workspace.run(run_dir, seen.append)

    assert record.state == "succeeded"
    assert [(done.step, done.state) for done in record.steps] == [("make", "done"), ("double", "done")]
    assert [event.step for event in seen if event.state == "done"] == ["make", "double"]
    assert step(record, "double").result == {"length": 2 * len("seven python3")}
    assert step(record, "make").result["undefined"] is None
    assert (folder(run_dir, "double", "doubled") / "second.txt").read_text() == "seven python3"
    assert read_run(run_dir) == record
    assert record.packages["kfp"]
    assert builtins.print is printed
    log = (run_dir / "run.log").read_text()
    assert "finished with status" in log
    assert "will be ignored" not in log


def test_the_audit_log_hears_of_intent_and_outcome(workspace: Workspace) -> None:
    workspace.run(workspace.new_run())

    lines = [json.loads(line) for line in (workspace.control / "audit").read_text().splitlines()]

    assert [line[:2] for line in lines] == [
        ["step.start", "tiny/make"],
        ["step.done", "tiny/make"],
        ["step.start", "tiny/double"],
        ["step.done", "tiny/double"],
    ]


def test_an_error_of_a_step_arrives_whole(workspace: Workspace) -> None:
    workspace.order("double.fail")

    record = workspace.run(workspace.new_run())

    assert record.state == "failed"
    assert record.failure is not None
    assert record.failure == step(record, "double").error
    assert (record.failure.step, record.failure.type, record.failure.exit_code) == ("double", "DataError", 2)
    assert (record.failure.message, record.failure.place) == ("expected a number, got soup", "column amount")
    assert record.failure.fix == "eat it"
    assert "soup" not in (workspace.control / "audit").read_text()


def test_a_crash_of_a_step_brings_its_traceback(workspace: Workspace) -> None:
    workspace.order("make.crash")

    record = workspace.run(workspace.new_run())

    assert record.failure is not None
    assert (record.failure.type, record.failure.message, record.failure.exit_code) == ("ZeroDivisionError", "boom", 4)
    assert "in _obey" in record.failure.traceback


def test_a_step_that_never_begins_is_explained_by_the_log(workspace: Workspace) -> None:
    run_dir = workspace.new_run()

    record = run_local(run_dir, home_file=workspace.home_file, on_event=lambda _: None)  # no PYTHONPATH

    assert record.failure is not None
    assert (record.failure.step, record.failure.type) == ("", "ModuleNotFoundError")
    assert record.failure.message == "No module named 'tiny_steps'"


def test_resuming_repeats_only_what_did_not_finish(workspace: Workspace) -> None:
    workspace.order("double.fail")
    run_dir = workspace.new_run()
    workspace.run(run_dir)
    workspace.cancel("double.fail")

    assert resumable_run(workspace.home, a_model()) == run_dir
    record = workspace.run(run_dir)

    assert record.state == "succeeded"
    assert [(done.step, done.state) for done in record.steps] == [("make", "reused"), ("double", "done")]
    assert workspace.calls() == ["make", "double", "double"]
    assert [attempt.state for attempt in record.attempts] == ["failed", "succeeded"]


def test_a_changed_output_is_not_reused(workspace: Workspace) -> None:
    workspace.order("double.fail")
    run_dir = workspace.new_run()
    workspace.run(run_dir)
    workspace.cancel("double.fail")
    (folder(run_dir, "make", "made") / "value.txt").write_text("eight")

    record = workspace.run(run_dir)

    assert [(done.step, done.state) for done in record.steps] == [("make", "done"), ("double", "done")]
    assert (folder(run_dir, "double", "doubled") / "first.txt").read_text() == "seven"


def test_a_killed_step_leaves_no_half_output_and_resumes_to_the_same_digests(workspace: Workspace) -> None:
    whole = workspace.new_run(token="aaaa")
    workspace.run(whole)
    (workspace.control / "double.pid").unlink()
    workspace.order("double.hang")
    killed = workspace.new_run(token="bbbb")
    process = workspace.start(killed)

    os.kill(workspace.pid_of("double"), signal.SIGKILL)
    output, _ = process.communicate(timeout=PATIENCE_S)

    assert output == "failed"
    failure = read_run(killed).failure
    assert failure is not None
    assert (failure.step, failure.type) == ("double", "Killed")
    assert not list(killed.glob("tasks/*/double/doubled"))

    workspace.cancel("double.hang")
    assert workspace.run(killed).state == "succeeded"
    assert digest(killed, "double", "doubled") == digest(whole, "double", "doubled")
    assert not list(killed.glob("tasks/*/*/.*.partial"))


def test_killing_the_parent_kills_everything_and_the_run_can_be_resumed(workspace: Workspace) -> None:
    workspace.order("double.hang")
    run_dir = workspace.new_run()
    process = workspace.start(run_dir)
    hanging = workspace.pid_of("double")

    assert list_runs(workspace.home)[0].state == "running"
    process.kill()
    process.communicate()
    wait_until(lambda: not is_alive(hanging))

    wait_until(lambda: list_runs(workspace.home)[0].state == "interrupted")
    workspace.cancel("double.hang")
    record = workspace.run(resumable_run(workspace.home, a_model()))
    assert record.state == "succeeded"
    assert [attempt.state for attempt in record.attempts] == ["interrupted", "succeeded"]
    assert step(record, "make").state == "reused"


def test_a_running_run_cannot_be_resumed(workspace: Workspace) -> None:
    workspace.order("double.hang")
    run_dir = workspace.new_run()
    runner = threading.Thread(target=workspace.run, args=[run_dir])
    runner.start()
    workspace.pid_of("double")

    with pytest.raises(Conflict, match=f"the run {run_dir.name} is still running"):
        resumable_run(workspace.home, a_model())
    with pytest.raises(Conflict, match=f"the run {run_dir.name} is still running"):
        workspace.run(run_dir)

    workspace.cancel("double.hang")
    runner.join(PATIENCE_S)
    assert read_run(run_dir).state == "succeeded"


def test_an_interrupted_caller_leaves_nothing_running(workspace: Workspace) -> None:
    workspace.order("double.hang")
    run_dir = workspace.new_run()

    def interrupt(event: StepEvent) -> None:
        if event.step == "double":
            workspace.pid_of("double")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workspace.run(run_dir, interrupt)

    assert read_run(run_dir).state == "interrupted"
    hanging = workspace.pid_of("double")
    wait_until(lambda: not is_alive(hanging))


def test_an_interpreter_in_a_folder_with_spaces_works(workspace: Workspace, tmp_path: Path) -> None:
    environment = tmp_path / "a virtual environment"
    environment.symlink_to(sys.prefix)

    process = workspace.start(workspace.new_run(), python=str(environment / "bin" / "python"))

    assert process.communicate(timeout=PATIENCE_S)[0] == "succeeded"
