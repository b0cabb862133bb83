# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from kelp.runs.progress import Progress, ProgressFile, ProgressWatch, read_progress
from kelp.runs.record import StepRecord, StepState
from tests.unit.kelp.runs.run_folders import NOON


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def a_step(name: str = "prepare", state: StepState = "running") -> StepRecord:
    return StepRecord(step=name, state=state, started=NOON)


def test_progress_survives_the_disk_with_its_rate(tmp_path: Path) -> None:
    clock = Clock()
    progress = ProgressFile(tmp_path, "prepare", clock)
    progress(0, 1000)
    assert read_progress(tmp_path, "prepare") == Progress("prepare", 0, 1000, 0.0)
    clock.now += 2.0
    progress(500, 1000)
    found = read_progress(tmp_path, "prepare")
    assert found == Progress("prepare", 500, 1000, 2.0)
    assert found.rate == 250.0


def test_the_file_changes_at_most_five_times_a_second_but_the_end_is_written(tmp_path: Path) -> None:
    clock = Clock()
    progress = ProgressFile(tmp_path, "train", clock)
    progress(0, None)
    for step in range(1, 10):
        clock.now = 100.0 + step / 50
        progress(step, None)
    assert read_progress(tmp_path, "train") == Progress("train", 0, None, 0.0)
    clock.now = 100.2
    progress(10, None)
    progress(11, 11)
    assert read_progress(tmp_path, "train") == Progress("train", 11, 11, 0.2)
    assert [path.name for path in (tmp_path / "steps").iterdir()] == ["train.progress"]


@pytest.mark.parametrize(
    "content", [None, "", "{", "[]", '{"done": 1}', '{"done": "x", "total": 1, "seconds": 1}', "3"]
)
def test_what_cannot_be_read_is_no_progress(tmp_path: Path, content: str | None) -> None:
    (tmp_path / "steps").mkdir()
    if content is not None:
        (tmp_path / "steps" / "prepare.progress").write_text(content)
    assert read_progress(tmp_path, "prepare") is None


def test_there_is_no_rate_in_the_first_moment() -> None:
    assert Progress("prepare", 5, None, 0.0).rate is None


def test_a_watch_tells_every_change_once_and_only_of_running_steps(tmp_path: Path) -> None:
    watch = ProgressWatch(tmp_path)
    assert watch.look([a_step()]) == []
    ProgressFile(tmp_path, "prepare", Clock())(1, 2)
    ProgressFile(tmp_path, "ingest", Clock())(2, 2)
    steps = [a_step("ingest", "done"), a_step()]
    assert watch.look(steps) == [Progress("prepare", 1, 2, 0.0)]
    assert watch.look(steps) == []
    ProgressFile(tmp_path, "prepare", Clock())(2, 2)
    assert watch.look(steps) == [Progress("prepare", 2, 2, 0.0)]
