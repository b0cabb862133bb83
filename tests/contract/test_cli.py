# SPDX-License-Identifier: Apache-2.0
"""Exit codes, the form of errors, and output for machines."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from kelp.runs.record import Failure, RunRecord, StepRecord, write_record
from tests.contract.command_line import CommandLine, command_line

SPEC = """\
apiVersion: kelp.dev/v1alpha1
kind: Model
metadata: {name: fraud}
spec: {task: binary, data: {source: data://fraud, target: y}}
"""


@pytest.fixture
def kelp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return command_line(tmp_path, monkeypatch, capsys)


def a_run(kelp: CommandLine, run: str, *, reason: str = "manual", failure: Failure | None = None) -> None:
    """Write run.json of a run that has ended."""
    now = datetime(2026, 1, 31, 12, tzinfo=UTC)
    step = StepRecord(step="register", state="done", started=now, result={"version": 1, "status": "champion"})
    record = RunRecord(
        run=run,
        model="fraud",
        spec_digest="0",
        code_digest="0",
        packages={},
        reason=reason,
        parameters={},
        created=now,
        state="failed" if failure else "succeeded",
        steps=(step,),
        failure=failure,
    )
    folder = Path(kelp.home.runs) / run
    (folder / "steps").mkdir(parents=True)
    write_record(folder / "run.json", record)


@pytest.mark.parametrize(
    "arguments",
    [
        ["chekc"],
        ["--nope"],
        ["check"],
        ["check", "--nope", "a.yaml"],
        ["run"],
        ["run", "a.yaml", "--seed", "-1"],
        ["up", "--port", "70000"],
        ["predict", "fraud"],
        ["predict", "fraud", "--input", "a.json", "--limit", "0"],
        ["audit", "show", "--last", "0"],
        ["audit", "prove", "first"],
        ["init", "a.csv"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2_and_says_how(kelp: CommandLine, arguments: list[str]) -> None:
    said = kelp(*arguments)
    assert (said.code, said.out) == (2, "")
    assert "Usage: kelp" in said.err


@pytest.mark.parametrize(
    ("arguments", "error", "fix"),
    [
        pytest.param(["check", "a.yaml"], "a.yaml: there is no such file", "", id="check"),
        pytest.param(
            ["run", "a.yaml"], "a.yaml: there is no such file", "kelp init DATA --target COL writes one", id="run"
        ),
        pytest.param(["models", "fraud"], "fraud: there is no such model", "kelp models lists them", id="models"),
        pytest.param(["models", "../x"], "model: a model's name was expected", "use a DNS label", id="a hostile name"),
        pytest.param(["report"], "there is no report", "kelp runs shows how far the run came", id="report"),
        pytest.param(["report", "../x"], "there is no run '../x'", "the latest runs: none yet", id="a hostile run"),
        pytest.param(
            ["up", "--port", "0"], "no model has a champion yet", "kelp run models/<name>.yaml trains one", id="up"
        ),
        pytest.param(
            ["up", "fraud"], "no version of 'fraud' is champion", "kelp models lists what is registered", id="up one"
        ),
        pytest.param(["audit", "prove", "7"], "there is no record 7", "", id="prove"),
        pytest.param(
            ["audit", "verify", "--against", "no.txt"], "no.txt: the checkpoint cannot be read", "", id="checkpoint"
        ),
    ],
)
def test_wrong_input_is_2_with_the_error_and_the_fix(
    kelp: CommandLine, arguments: list[str], error: str, fix: str
) -> None:
    said = kelp(*arguments)
    assert (said.code, said.out) == (2, "")
    first, *rest = said.err.splitlines()
    assert first.startswith("error: ")
    assert error in first
    if fix:
        assert rest[-1] == f"  fix: {fix}"


def test_a_workspace_that_cannot_be_written_is_4(kelp: CommandLine) -> None:
    (kelp.folder / ".kelp").write_text("a file")
    said = kelp("status")
    assert said.code == 4
    assert said.err.startswith(f"error: {kelp.folder}/.kelp: the workspace cannot be written")
    assert "fix: choose another one with --workspace" in said.err


def test_a_home_that_is_not_there_is_4(kelp: CommandLine) -> None:
    assert kelp("--home", "no.toml", "status").code == 4


def test_a_home_that_is_wrong_is_2(kelp: CommandLine) -> None:
    (kelp.folder / "home.toml").write_text("stor = 1")
    said = kelp("--home", "home.toml", "status")
    assert said.code == 2
    assert "stor: unknown field" in said.err


def test_what_looks_like_markup_is_printed_as_it_is(kelp: CommandLine) -> None:
    said = kelp("check", "[bold]a[/].yaml")
    assert said.err.startswith("error: [bold]a[/].yaml: there is no such file")


def test_check_names_every_right_file_and_every_problem_of_the_others(kelp: CommandLine) -> None:
    (kelp.folder / "good.yaml").write_text(SPEC)
    (kelp.folder / "one.yaml").write_text(SPEC.replace("target", "taget"))
    (kelp.folder / "two.yaml").write_text("a: [")
    (kelp.folder / "later.yaml").write_text(SPEC.replace("task: binary", "task: binary, train: {nodes: 2}"))
    said = kelp("check", "one.yaml", "good.yaml", "gone.yaml", "two.yaml", "later.yaml")
    assert said.code == 2
    assert said.out.splitlines() == [
        "good.yaml: ok",
        "later.yaml: ok (not built yet, `kelp run` refuses it: spec.train.nodes)",
    ]
    for problem in (
        "one.yaml: 2 problems",
        "did you mean target?",
        "gone.yaml: there is no",
        "two.yaml: line 1, column 5",
    ):
        assert problem in said.err


def test_check_of_right_files_is_0(kelp: CommandLine) -> None:
    (kelp.folder / "good.yaml").write_text(SPEC)
    said = kelp("check", "good.yaml")
    assert (said.code, said.out, said.err) == (0, "good.yaml: ok\n", "")
    assert not (kelp.folder / ".kelp").exists()


def test_check_prints_the_schema(kelp: CommandLine) -> None:
    said = kelp("check", "--schema")
    assert said.code == 0
    Draft202012Validator.check_schema(said.json)


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        pytest.param(["status"], dict, id="status"),
        pytest.param(["models"], list, id="models"),
        pytest.param(["models", "fraud"], list, id="one model"),
        pytest.param(["runs"], list, id="runs"),
        pytest.param(["audit", "show"], list, id="audit show"),
        pytest.param(["audit", "verify"], dict, id="audit verify"),
        pytest.param(["doctor"], list, id="doctor"),
    ],
)
def test_json_is_one_document_and_nothing_else(kelp: CommandLine, arguments: list[str], kind: type) -> None:
    kelp.champion()
    a_run(kelp, "fraud-1")
    said = kelp(*arguments, "--json")
    assert (said.code, said.err) == (0, "")
    assert type(said.json) is kind
    assert said.json


def test_status_shows_the_workspace_at_a_glance(kelp: CommandLine) -> None:
    kelp.champion()
    a_run(kelp, "fraud-1")
    lines = kelp("status").out.splitlines()
    assert lines[1:4] == [
        "model       fraud: champion is version 1",
        "latest run  fraud-1 (succeeded)",
        "server      not running; kelp up starts it",
    ]


def test_models_of_a_registry_and_of_one_model(kelp: CommandLine) -> None:
    assert kelp("models").out.startswith("no models yet")
    kelp.champion()
    (version,) = kelp("models", "fraud", "--json").json
    assert (version["version"], version["aliases"], version["result"]) == (1, ["champion"], "pass")
    heading, line = kelp("models").out.splitlines()
    assert heading.split() == ["model", "version", "aliases", "gates", "run", "data"]
    assert line.split() == ["fraud", "1", "champion", "pass", "r-1"]


def test_runs_are_one_line_each_for_a_program_and_markup_in_them_is_text(kelp: CommandLine) -> None:
    a_run(kelp, "fraud-1", reason="[/] why [bold]not" + " long" * 60)
    a_run(kelp, "fraud-2", failure=Failure(step="ingest", type="DataError", message="[red]no[/] rows\nmore"))
    said = kelp("runs")
    assert said.code == 0
    heading, second, first = said.out.splitlines()
    assert heading.split() == ["run", "state", "reason", "metric", "outcome"]
    assert ("[/] why [bold]not" in first, "version 1: champion" in first) == (True, True)
    assert ("failed" in second, "[red]no[/] rows" in second) == (True, True)


def test_report_prints_the_path_of_the_latest_one(kelp: CommandLine) -> None:
    a_run(kelp, "fraud-1")
    report = Path(kelp.home.runs) / "fraud-1" / "report.html"
    report.write_text("<p>")
    assert kelp("report").out == f"{report}\n"
    assert kelp("report", "fraud-1").out == f"{report}\n"


def test_doctor_names_what_is_wrong(kelp: CommandLine) -> None:
    Path(kelp.home.keys).chmod(0o755)
    said = kelp("doctor")
    assert said.code == 4
    assert f"✗ keys: {kelp.home.keys} expected to be a folder readable by you alone" in said.out
    assert "error: this machine: something needed is missing" in said.err
    findings = kelp("doctor", "--json").json
    assert [finding["finding"].split(":")[0] for finding in findings if finding["needed"] and not finding["ok"]] == [
        "keys"
    ]


def test_doctor_looks_at_a_home_elsewhere(kelp: CommandLine) -> None:
    home = kelp.folder / "elsewhere.toml"
    home.write_text(
        "".join(f'{name} = "gone"\n' for name in ("dataRoot", "store", "registry", "audit", "runs", "keys"))
    )
    said = kelp("--home", str(home), "doctor")
    assert said.code == 4
    assert f"✗ runs: {kelp.folder}/gone expected to be a folder that can be written" in said.out


def test_a_reader_that_has_gone_gets_no_traceback(kelp: CommandLine) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    script = "import sys; sys.argv = ['kelp', 'check', '--schema']; from kelp.cli import main; main()"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writing)
    assert done.stderr == ""


def test_the_environment_names_workspace_and_home(kelp: CommandLine) -> None:
    kelp.monkeypatch.setenv("KELP_WORKSPACE", "elsewhere")
    assert kelp("status", "--json").json["workspace"] == str(kelp.folder / "elsewhere")
    kelp.monkeypatch.setenv("KELP_HOME", str(kelp.folder / "no.toml"))
    assert kelp("status").code == 4


def test_a_stale_or_broken_up_file_is_no_server(kelp: CommandLine) -> None:
    kelp.champion()
    up = kelp.folder / ".kelp" / "up.json"
    for content in ("", "{", json.dumps({"pid": 0, "address": "x", "models": {}}), json.dumps({"pid": 2**40})):
        up.write_text(content)
        assert kelp("status", "--json").json["server"] is None
