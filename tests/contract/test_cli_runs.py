# SPDX-License-Identifier: Apache-2.0
"""kelp runs and kelp compare: what they choose, print and refuse."""

from pathlib import Path

import pytest

from kelp.runs.record import Failure
from tests.contract.command_line import CommandLine, command_line
from tests.unit.kelp.runs.run_folders import MadeUp

TRIALS = [
    {"number": 0, "params": {"max_depth": 3}, "value": 0.4, "seconds": 1.0, "state": "complete"},
    {"number": 1, "params": {"max_depth": 9}, "value": 0.3, "seconds": 2.0, "state": "complete"},
    {"number": 2, "params": {"max_depth": 5}, "value": None, "seconds": 0.5, "state": "failed"},
]


@pytest.fixture
def kelp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return command_line(tmp_path, monkeypatch, capsys)


@pytest.fixture
def filled(kelp: CommandLine) -> CommandLine:
    """Three runs, newest first: fraud-3 (failed), fraud-2 (searched), fraud-1; and one whose record is damaged."""
    runs = Path(kelp.home.runs)
    MadeUp(run="fraud-1", pr_auc=0.6).write(runs)
    search = {"metric": "log_loss", "direction": "minimize", "trials": TRIALS, "best": 1}
    MadeUp(run="fraud-2", minutes=1, pr_auc=0.7, seed=8, version=2, search=search).write(runs)
    failure = Failure(step="train", type="DataError", message="[red]no[/] rows")
    MadeUp(run="fraud-3", minutes=2, state="failed", until="prepare", failure=failure).write(runs)
    (runs / "fraud-20260101-000000-beef").mkdir()
    return kelp


def names(kelp: CommandLine, *options: str) -> list[str]:
    said = kelp("runs", *options)
    assert said.code == 0, said.err
    return [line.split()[0] for line in said.out.splitlines()[1:]]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ([], ["fraud-3", "fraud-2", "fraud-1", "fraud-20260101-000000-beef"]),
        (["--where", "pr_auc>=0.65"], ["fraud-2"]),
        (["--where", "pr_auc>0.1", "--where", "seed=7"], ["fraud-1"]),
        (["--where", "artifacts.model.onnx.bytes=4"], ["fraud-2", "fraud-1"]),
        (["--state", "damaged"], ["fraud-20260101-000000-beef"]),
        (["--sort", "-pr_auc", "--limit", "2"], ["fraud-2", "fraud-1"]),
        (["--sort", "created"], ["fraud-20260101-000000-beef", "fraud-1", "fraud-2", "fraud-3"]),
    ],
    ids=" ".join,
)
def test_options_choose_and_sort(filled: CommandLine, options: list[str], found: list[str]) -> None:
    assert names(filled, *options) == found


def test_asked_facts_become_columns(filled: CommandLine) -> None:
    heading, line = filled("runs", "--where", "pr_auc>0.65", "--sort", "-params.max_depth").out.splitlines()
    assert heading.split() == ["run", "state", "reason", "pr_auc", "params.max_depth", "outcome"]
    assert line.split() == ["fraud-2", "succeeded", "manual", "0.7", "6", "version", "2:", "champion"]


def test_old_runs_are_not_recent(filled: CommandLine) -> None:
    assert filled("runs", "--since", "1m").out == "no run matches\n"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        pytest.param(["--where", "pr_auc"], "expected a condition, found 'pr_auc'", id="no condition"),
        pytest.param(["--where", "prauc>1"], "no run has a fact named 'prauc'", id="unknown name"),
        pytest.param(["--sort", "-prauc"], "no run has a fact named 'prauc'", id="unknown order"),
        pytest.param(["--where", "seed=x"], "expected a number for seed, found 'x'", id="not a number"),
        pytest.param(["--since", "yesterday"], "expected a whole number with a unit", id="not a duration"),
        pytest.param(["--since", "999999999d"], "--since", id="before the calendar"),
    ],
)
def test_what_cannot_be_asked_is_2(filled: CommandLine, options: list[str], error: str) -> None:
    said = filled("runs", *options)
    assert (said.code, said.out) == (2, "")
    assert error in said.err


def test_json_has_everything_of_every_run(filled: CommandLine) -> None:
    _, run, _, damaged = filled("runs", "--json").json
    assert run["metrics"]["pr_auc"] == {"value": 0.7, "low": pytest.approx(0.6), "high": pytest.approx(0.8)}
    assert run["params"] == {"max_depth": 6, "rounds": 200}
    assert run["digests"].keys() == {"snapshot", "prepared", "code", "spec"}
    assert [artifact["name"] for artifact in run["artifacts"]] == ["data.parquet", "model.onnx"]
    assert (run["version"], run["status"], run["search"]["best"]) == (2, "champion", 1)
    assert (damaged["state"], damaged["problem"]) == ("damaged", "cannot be read (No such file or directory)")


def test_trials_are_rows_of_their_own(filled: CommandLine) -> None:
    heading, *lines = filled("runs", "--trials", "--sort", "trial.value").out.splitlines()
    assert heading.split() == ["run", "trial", "state", "value", "seconds", "params"]
    assert [line.split() for line in lines] == [
        ["fraud-2", "1", "complete", "0.3", "2", "max_depth=9"],
        ["fraud-2", "0", "complete", "0.4", "1", "max_depth=3"],
        ["fraud-2", "2", "failed", "–", "0.5", "max_depth=5"],
    ]
    (best,) = filled("runs", "--trials", "--where", "params.max_depth>5", "--json").json
    assert (best["run"], best["model"], best["number"]) == ("fraud-2", "fraud", 1)


def test_no_trials_say_so(kelp: CommandLine) -> None:
    assert kelp("runs", "--trials").out.startswith("no run has searched")


def test_html_writes_a_page_and_prints_its_path(filled: CommandLine) -> None:
    said = filled("runs", "--state", "succeeded", "--html", "pages/runs.html")
    assert (said.code, said.out) == (0, "pages/runs.html\n")
    page = (filled.folder / "pages" / "runs.html").read_text()
    assert ("fraud-2" in page, "fraud-3" in page) == (True, False)


def test_compare_shows_what_differs_and_why_there_is_no_pair(filled: CommandLine) -> None:
    said = filled("compare", "fraud-1", "fraud-2")
    assert (said.code, said.err) == (0, "")
    lines = [line.split() for line in said.out.splitlines()]
    assert ["seed", "7", "8"] in lines
    assert ["pr_auc", "0.6", "(0.5", "to", "0.7)", "0.7", "(0.6", "to", "0.8)"] in lines
    assert "not paired: fraud-1 has no version that could be scored" in said.out
    assert filled("compare", "fraud-1", "fraud-2", "--json").json["isPaired"] is False


def test_compare_finds_runs_by_their_beginning_and_writes_a_page(filled: CommandLine) -> None:
    assert filled("compare", "fraud-1", "fraud-2026", "--html", "c.html").out == "c.html\n"
    assert "fraud-20260101-000000-beef" in (filled.folder / "c.html").read_text()


@pytest.mark.parametrize(
    ("a", "error"),
    [
        pytest.param("fraud-", "4 runs begin with 'fraud-'", id="several"),
        pytest.param("nothing", "there is no run 'nothing'", id="none"),
        pytest.param("", "there is no run ''", id="empty"),
        pytest.param("../x", "there is no run '../x'", id="hostile"),
        pytest.param("fraud@champion", "there is no version 'champion'", id="no alias"),
        pytest.param("fraud@7", "there is no version 7", id="no version"),
        pytest.param("../x@1", "a model's name was expected", id="a hostile model"),
    ],
)
def test_compare_refuses_what_is_not_there(filled: CommandLine, a: str, error: str) -> None:
    said = filled("compare", a, "fraud-1")
    assert (said.code, said.out) == (2, "")
    assert error in said.err


def test_compare_reads_a_version_whose_run_is_gone(filled: CommandLine) -> None:
    filled.champion()
    document = filled("compare", "fraud@champion", "fraud-1", "--json").json
    assert (document["a"]["name"], document["a"]["run"]) == ("fraud version 1", "r-1")
    assert document["isPaired"] is False
