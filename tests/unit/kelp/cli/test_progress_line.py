# SPDX-License-Identifier: Apache-2.0
import io

import pytest
from rich.console import Console

from kelp.cli.progress_line import ProgressLine, line_text, progress_line
from kelp.runs.progress import Progress


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        pytest.param(
            Progress("prepare", 6_300_000, 10_000_000, 5.25),
            "prepare   6,300,000 of 10,000,000 rows  1.2 M rows/s  0:00:04",
            id="rows and total",
        ),
        pytest.param(Progress("prepare", 900, None, 4.5), "prepare   900 rows  200 rows/s  0:00:04", id="no total"),
        pytest.param(Progress("prepare", 0, 10, 0.0), "prepare   0 of 10 rows  0:00:04", id="no rate yet"),
        pytest.param(
            Progress("prepare", 9_000, 10_000, 2.0),
            "prepare   9,000 of 10,000 rows  4.5 k rows/s  0:00:04",
            id="thousands",
        ),
        pytest.param(None, "prepare   0:00:04", id="a step that says nothing"),
    ],
)
def test_the_line_says_rows_speed_and_time(progress: Progress | None, text: str) -> None:
    assert line_text("prepare", 4.9, progress)[4:] == text


def test_nothing_is_shown_in_the_first_two_seconds_or_between_steps() -> None:
    assert line_text("prepare", 1.9, Progress("prepare", 1, 2, 1.0)) == ""
    assert line_text("", 100.0, None) == ""


def test_progress_of_an_earlier_step_is_not_shown() -> None:
    line = ProgressLine()
    line.start("train")
    line.show(Progress("prepare", 1, 2, 1.0))
    assert line.progress is None
    line.show(Progress("train", 1, 2, 1.0))
    assert line.progress is not None
    line.stop()
    assert (line.step, line.progress) == ("", None)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_only_a_terminal_gets_a_line_that_moves(is_terminal: bool) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=is_terminal, width=80)
    with progress_line(console) as line:
        line.start("train")
        line.started -= 10
        console.print("done")
    assert ("train" in stream.getvalue()) is is_terminal
    assert ("\x1b" in stream.getvalue()) is is_terminal
    assert "done" in stream.getvalue()
