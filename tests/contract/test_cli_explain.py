# SPDX-License-Identifier: Apache-2.0
"""`kelp explain`: a registered version explains rows on this machine, without a server."""

import hashlib
import json
from pathlib import Path

import pytest

from kelp.home import SIGNING_KEY
from kelp.registry import Registry
from kelp.registry.signature import sign
from tests.contract.command_line import CommandLine, command_line
from tests.unit.kelp.frame.explained import a_version

ROWS = [{"a": 0.5, "b": None, "c": -1.0, "at": "2024-05-01T10:00:00Z"}, {"a": 9, "b": 1, "c": 2, "at": None}]


@pytest.fixture
def kelp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """A person who has two versions of `churn`, the first one champion, and two rows in a.json."""
    typed = command_line(tmp_path, monkeypatch, capsys)
    for run, task in (("r-1", "binary"), ("r-2", "regression")):
        _register(typed, run, task)
    (tmp_path / "a.json").write_text(json.dumps(ROWS))
    return typed


def _register(typed: CommandLine, run: str, task: str) -> None:
    folder = typed.folder / "packaged" / run
    folder.mkdir(parents=True)
    a_version(folder, task)
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    (folder / "manifest.json").write_text(json.dumps({"run": run, "result": "pass", "files": files}))
    sign(folder, Path(typed.home.keys) / SIGNING_KEY)
    registry = Registry.open(typed.home, "user:test")
    with registry.log:
        number = registry.add("churn", run, folder)
        if number == 1:
            registry.move("churn", "champion", number, "passed")


def test_the_champion_explains_every_row_in_a_table(kelp: CommandLine) -> None:
    said = kelp("explain", "churn", "--input", "a.json")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("row 1: score of yes 0.")
    assert "\nrow 2: score of yes 0." in said.out
    assert "moves the log-odds by" in said.out
    lines = said.out.splitlines()
    assert any(line.startswith("at ") and "2024-05-01 10:00:00" in line for line in lines)
    assert any(line.startswith("b ") and "missing" in line for line in lines)
    assert all("█" in line for line in lines if line.startswith(("at ", "b ")))


def test_json_has_what_the_server_answers_and_adds_up(kelp: CommandLine) -> None:
    said = kelp("explain", "churn", "--input", "a.json", "--limit", "1", "--version", "2", "--json")
    (found,) = said.json["explanations"]
    assert found["base"] + sum(found["contributions"].values()) == pytest.approx(found["score"], abs=1e-4)
    assert (found["scale"], found["method"]) == ("score", "tree_shap")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param(["other"], "no version of 'other' is champion", id="no champion"),
        pytest.param(["churn", "--version", "9"], "churn: there is no version 9", id="no such version"),
    ],
)
def test_a_version_that_is_not_there_is_2(kelp: CommandLine, arguments: list[str], error: str) -> None:
    said = kelp("explain", *arguments, "--input", "a.json")
    assert said.code == 2
    assert error in said.err


def test_a_row_that_the_model_cannot_answer_is_2_and_named(kelp: CommandLine) -> None:
    (kelp.folder / "a.json").write_text('[{"a": "much", "b": 1, "c": 1, "at": null}]')
    said = kelp("explain", "churn", "--input", "a.json")
    assert said.code == 2
    assert "instances[0].a: expected a number" in said.err


def test_a_version_that_was_changed_in_the_registry_is_4(kelp: CommandLine) -> None:
    stored = kelp.folder / ".kelp" / "registry" / "churn" / "1" / "reference.parquet"
    stored.write_bytes(b"something else")
    said = kelp("explain", "churn", "--input", "a.json")
    assert said.code == 4
    assert "reference.parquet was changed" in said.err
