# SPDX-License-Identifier: Apache-2.0
"""Histories of real processes that are killed, or whose disk is full, against one that never ended."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kelp.frame.history import History
from kelp.frame.journal import keep_history
from tests.local.journal_takers import a_history, a_version, answered
from tests.unit.kelp.frame.asked import state_of

LIVES = 6


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    a_version(tmp_path)
    return tmp_path


@contextmanager
def taker(command: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that is killed at the end of the block, or before."""
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.local.journal_takers", command, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    with process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: "subprocess.Popen[str]") -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.endswith("\n"), "the process ended by itself"
    return json.loads(line)


def tell(process: "subprocess.Popen[str]", what: str) -> Any:
    assert process.stdin is not None
    process.stdin.write(f"{what}\n")
    process.stdin.flush()
    return line_of(process)


def snapshot_time(folder: Path) -> int:
    snapshot = folder / "state" / "history.parquet"
    return snapshot.stat().st_mtime_ns if snapshot.exists() else 0


def unbroken(folder: Path, rows: int) -> tuple[History, list[dict[str, list[str]]]]:
    """A history that took the rows in without an end, and what it answered."""
    history = a_history(folder)
    return history, [answered(history, number) for number in range(1, rows + 1)]


def test_successor_of_a_killed_process_answers_as_if_it_had_never_ended(folder: Path) -> None:
    acknowledged: list[tuple[int, dict[str, list[str]]]] = []
    for life in range(LIVES):
        with taker("take_for_ever", folder) as process:
            restored = line_of(process)["restoredRows"]
            assert restored >= (acknowledged[-1][0] if acknowledged else 0)
            before = snapshot_time(folder)
            lines = [line_of(process)]
            while life % 2 and snapshot_time(folder) == before:
                lines.append(line_of(process))
            lines += [line_of(process) for _ in range(50 + 37 * life)]
            process.kill()
            assert process.stdout is not None
            lines += [json.loads(line) for line in process.stdout if line.endswith("\n")]
            acknowledged += [(number, answers) for number, answers in lines]
    history = a_history(folder)
    kept = keep_history(folder / "state", history, folder / "version")
    rows = history.facts()["restoredRows"]
    assert rows >= acknowledged[-1][0]
    never_ended, expected = unbroken(folder, rows)
    for number, answers in acknowledged:
        assert answers == expected[number - 1], number
    assert state_of(history) == state_of(never_ended)
    assert history.facts()["droppedEntities"] > 0
    assert list((folder / "state").glob("history.parquet"))
    assert not list((folder / "state").glob("unusable-*"))
    kept.close()


def test_kill_before_any_call_of_a_compaction_loses_nothing(folder: Path) -> None:
    with taker("compact_step_by_step", folder) as process:
        assert process.wait(timeout=120) == 0, (folder / "log").read_text()
    expected, _ = unbroken(folder, 30)
    steps = sorted(folder.glob("step-*"))
    assert len(steps) >= 5
    for step in steps:
        history = a_history(folder)
        kept = keep_history(step, history, folder / "version")
        assert state_of(history) == state_of(expected), step
        kept.close()
        again = a_history(folder)
        kept = keep_history(step, again, folder / "version")
        assert state_of(again) == state_of(expected), step
        kept.close()
        assert not list(step.glob(".*")), step


def test_full_disk_leaves_answers_alone_and_is_mended_when_there_is_room(folder: Path) -> None:
    """Full means here that no file may grow beyond a size, which takes no disk of its own."""
    with taker("take_on_a_full_disk", folder) as process:
        assert line_of(process)["isKept"]
        lines = [tell(process, "row") for _ in range(10)]
        assert tell(process, "room 2000")["isKept"]
        lines += [tell(process, "row") for _ in range(40)]
        lost = tell(process, "tend")
        assert (lost["isKept"], lost["keptUpTo"] > "2026") == (False, True)
        lines += [tell(process, "row") for _ in range(10)]
        tell(process, "room")
        assert tell(process, "tend")["isKept"]
        lines += [tell(process, "row") for _ in range(10)]
    history = a_history(folder)
    kept = keep_history(folder / "state", history, folder / "version")
    never_ended, expected = unbroken(folder, 70)
    assert lines == [[number, answers] for number, answers in enumerate(expected, start=1)]
    assert history.facts()["restoredRows"] == 70
    assert state_of(history) == state_of(never_ended)
    kept.close()
    log = [line for line in (folder / "log").read_text().splitlines() if "entities" not in line]
    assert [line.split()[0] for line in log] == ["ERROR", "WARNING"], log
    assert "rows cannot be kept" in log[0]
    assert "every row is kept again" in log[1]
    assert not list((folder / "state").glob("unusable-*"))


def test_process_killed_on_a_full_disk_comes_back_as_of_the_last_row_that_it_kept(folder: Path) -> None:
    with taker("take_on_a_full_disk", folder) as process:
        line_of(process)
        tell(process, "room 3000")
        for _ in range(60):
            tell(process, "row")
        assert not tell(process, "tend")["isKept"]
    with taker("take_on_a_full_disk", folder) as process:
        facts = line_of(process)
        assert facts["isKept"]
        assert 10 < facts["restoredRows"] < 60
        rows = facts["restoredRows"]
        assert tell(process, "row") == [rows + 1, unbroken(folder, rows + 1)[1][-1]]
