# SPDX-License-Identifier: Apache-2.0
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kelp.errors import DataError
from kelp.runs.record import StepRecord, read_record
from kelp.runs.step import Step, Surroundings, json_values, run_step

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)


@dataclass(slots=True)
class Audit:
    """An audit log in memory."""

    events: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def __call__(self, action: str, subject: str, detail: Mapping[str, Any]) -> None:
        self.events.append((action, subject, dict(detail)))

    def actions(self) -> list[str]:
        return [action for action, _, _ in self.events]


def surroundings(run_dir: Path | None, audit: Audit | None = None) -> Surroundings:
    if run_dir is not None:
        run_dir.mkdir(exist_ok=True)
    return Surroundings("fraud", "spec", "code", run_dir, audit or Audit(), lambda: NOON)


def a_step(folder: Path, work: Callable[[Mapping[str, Path]], Mapping[str, Any]] | None = None) -> Step:
    """Reads `folder/source`, writes `folder/out`."""
    (folder / "source").mkdir(parents=True, exist_ok=True)
    (folder / "source" / "rows.txt").write_text("1 2 3")

    def copy(out: Mapping[str, Path]) -> Mapping[str, Any]:
        (out["out"] / "rows.txt").write_text((folder / "source" / "rows.txt").read_text())
        return {"rows": 3}

    return Step("copy", {"source": folder / "source"}, {"out": folder / "out"}, {"seed": 7}, work or copy)


def fail(out: Mapping[str, Path]) -> Mapping[str, Any]:
    (out["out"] / "half.txt").write_text("half")
    raise DataError("expected 3 rows, got 2: a secret", place="rows.txt", fix="add one")


def crash(_: Mapping[str, Path]) -> Mapping[str, Any]:
    raise AssertionError("must not run")


def test_outputs_appear_whole_under_their_name(tmp_path: Path) -> None:
    result = run_step(a_step(tmp_path), surroundings(tmp_path / "run"))

    assert result == {"rows": 3}
    assert (tmp_path / "out" / "rows.txt").read_text() == "1 2 3"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "run", "source"]


def test_a_cluster_needs_no_run_folder(tmp_path: Path) -> None:
    audit = Audit()

    run_step(a_step(tmp_path), surroundings(None, audit))

    assert audit.actions() == ["step.start", "step.done"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "source"]


def test_an_output_of_a_killed_attempt_is_replaced(tmp_path: Path) -> None:
    for stale in (tmp_path / ".out.partial", tmp_path / "out"):
        stale.mkdir()
        (stale / "stale.txt").touch()

    run_step(a_step(tmp_path), surroundings(None))

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["rows.txt"]


def test_a_failure_leaves_no_output_and_is_recorded(tmp_path: Path) -> None:
    audit = Audit()

    with pytest.raises(DataError, match="expected 3 rows"):
        run_step(a_step(tmp_path, fail), surroundings(tmp_path / "run", audit))

    assert not (tmp_path / "out").exists()
    record = read_record(StepRecord, tmp_path / "run" / "steps" / "copy.json")
    assert record.state == "failed"
    assert record.error is not None
    assert (record.error.type, record.error.place, record.error.fix) == ("DataError", "rows.txt", "add one")
    assert record.error.exit_code == 2
    assert record.error.message == "expected 3 rows, got 2: a secret"
    assert audit.actions() == ["step.start", "step.failed"]
    assert "secret" not in json.dumps(audit.events)


def test_the_second_time_the_receipt_is_used(tmp_path: Path) -> None:
    audit = Audit()
    around = surroundings(tmp_path / "run", audit)
    run_step(a_step(tmp_path), around)

    again = replace(a_step(tmp_path, crash), outputs={"out": tmp_path / "tasks" / "2" / "out"})
    result = run_step(again, around)

    assert result == {"rows": 3}
    assert (tmp_path / "tasks" / "2" / "out" / "rows.txt").read_text() == "1 2 3"
    assert audit.actions() == ["step.start", "step.done", "step.done"]
    assert [detail["reused"] for action, _, detail in audit.events if action == "step.done"] == [False, True]
    assert audit.events[1][2]["outputs"] == audit.events[2][2]["outputs"]
    assert read_record(StepRecord, tmp_path / "run" / "steps" / "copy.json").state == "reused"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda step, around: (replace(step, params={"seed": 8}), around), id="parameter"),
        pytest.param(lambda step, around: (step, replace(around, code_digest="other")), id="code"),
        pytest.param(lambda step, around: (step, replace(around, spec_digest="other")), id="spec"),
        pytest.param(
            lambda step, around: (replace(step, inputs={"renamed": step.inputs["source"]}), around), id="input"
        ),
    ],
)
def test_whatever_decides_the_outputs_decides_the_key(
    tmp_path: Path, change: Callable[[Step, Surroundings], tuple[Step, Surroundings]]
) -> None:
    around = surroundings(tmp_path / "run")
    run_step(a_step(tmp_path), around)

    step, around = change(a_step(tmp_path, crash), around)
    with pytest.raises(AssertionError, match="must not run"):
        run_step(step, around)


def test_changed_rows_are_worked_on_again(tmp_path: Path) -> None:
    around = surroundings(tmp_path / "run")
    run_step(a_step(tmp_path), around)
    step = a_step(tmp_path)
    (tmp_path / "source" / "rows.txt").write_text("4")

    run_step(step, around)

    assert (tmp_path / "out" / "rows.txt").read_text() == "4"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"auc": float("nan")}, {"auc": None}, id="not a number"),
        pytest.param([float("inf"), -float("inf"), 0.5], [None, None, 0.5], id="infinite"),
        pytest.param((np.int64(3), np.float32(0.5)), [3, 0.5], id="numpy"),
        pytest.param(
            {"ok": True, "none": None, "text": "x", 1: 2}, {"ok": True, "none": None, "text": "x", "1": 2}, id="plain"
        ),
    ],
)
def test_results_become_plain_json(value: Any, expected: Any) -> None:
    assert json_values(value) == expected


def test_a_result_that_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError, match="expected JSON values"):
        json_values({"path": Path("x")})
