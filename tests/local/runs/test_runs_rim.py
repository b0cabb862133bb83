# SPDX-License-Identifier: Apache-2.0
"""The rim of a step in a process of its own, as KFP starts it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from kelp.audit.opening import open_log
from kelp.home import ensure_home, load_home
from kelp.spec import model_from_values

_STEP = """
import sys
from components import entry

def work(rim, out):
    (out["made"] / "file.txt").write_text("x")
    if sys.argv[4] == "fail":
        raise entry.EnvironmentFault("the disk is full", fix="empty it")
    return {"rows": 3, "deep": {}}

with entry.open_rim("make", sys.argv[1], sys.argv[2]) as rim:
    print(entry.run_in(rim, "make", {}, {"made": sys.argv[3]}, {}, work), file=sys.stderr)
"""


def a_spec() -> str:
    data = {"source": "data://x.csv", "target": "y", "positive": "1"}
    values = {"apiVersion": "kelp.dev/v1alpha1", "kind": "Model", "metadata": {"name": "fraud"}}
    return model_from_values({**values, "spec": {"task": "binary", "data": data}}, "test").to_json()


def start(tmp_path: Path, run: str, order: str = "", run_dir: Path | None = None) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "KELP_HOME": str(ensure_home(tmp_path / "home"))}
    if run_dir is not None:
        run_dir.mkdir()
        environment["KELP_RUN_DIR"] = str(run_dir)
    return subprocess.run(
        [sys.executable, "-c", _STEP, a_spec(), run, str(tmp_path / "made"), order],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def recorded(tmp_path: Path) -> list[tuple[str, str, str]]:
    """Actor, action and subject of every record about a step."""
    with open_log(load_home(tmp_path / "home" / "home.toml"), "test") as log:
        entries = [entry.record for entry in log.entries()]
    return [(each.actor, each.action, each.subject) for each in entries if each.action.startswith("step.")]


def test_a_step_on_a_cluster_acts_under_the_id_kfp_gave_it(tmp_path: Path) -> None:
    done = start(tmp_path, "1a2b-3c4d")

    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "{'rows': 3, 'deep': {}}"
    assert (tmp_path / "made" / "file.txt").read_text() == "x"
    assert recorded(tmp_path) == [
        ("run:1a2b-3c4d", "step.start", "fraud/make"),
        ("run:1a2b-3c4d", "step.done", "fraud/make"),
    ]


def test_a_step_on_a_laptop_acts_under_its_runs_name(tmp_path: Path) -> None:
    run_dir = tmp_path / "fraud-20260801-120000-beef"

    assert start(tmp_path, "12345678", run_dir=run_dir).returncode == 0

    assert {actor for actor, _, _ in recorded(tmp_path)} == {f"run:{run_dir.name}"}
    assert json.loads((run_dir / "steps" / "make.json").read_text())["state"] == "done"


def test_an_error_is_one_json_line_with_its_context(tmp_path: Path) -> None:
    failed = start(tmp_path, "1a2b", "fail")

    assert failed.returncode == 1
    line = json.loads(failed.stdout)
    assert line["message"] == "the disk is full; empty it"
    assert (line["run"], line["model"], line["step"]) == ("1a2b", "fraud", "make")
    assert [action for _, action, _ in recorded(tmp_path)] == ["step.start", "step.failed"]
    assert not (tmp_path / "made").exists()


def test_a_run_id_that_was_never_filled_in_is_refused(tmp_path: Path) -> None:
    failed = start(tmp_path, "{{$.pipeline_job_uuid}}")

    assert failed.returncode == 1
    assert "expected the run's id, got the placeholder {{$.pipeline_job_uuid}}" in failed.stderr
    assert recorded(tmp_path) == []
