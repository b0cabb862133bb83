# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kelp.runs.failure import failure_of_run, last_traceback
from kelp.runs.record import Failure, StepRecord

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)

LOG = """\
12:00:00 - INFO - Executing task \x1b[96m'train'\x1b[0m
    Traceback (most recent call last):
      File "a.py", line 1, in <module>
    ValueError: the first

    During handling of the above exception, another exception occurred:

    Traceback (most recent call last):
      File "b.py", line 2, in <module>
        call()
    {last}

12:00:01 - ERROR - Task \x1b[96m'train'\x1b[0m finished with status \x1b[91mFAILURE\x1b[0m
"""


def a_record(state: str, error: Failure | None = None) -> StepRecord:
    return StepRecord.model_validate({"step": "train", "state": state, "started": NOON, "error": error})


def test_the_last_traceback_is_found_without_kfps_decoration(tmp_path: Path) -> None:
    (tmp_path / "run.log").write_text(LOG.format(last="KeyError: 'x'"))

    assert last_traceback(tmp_path / "run.log") == (
        "Traceback (most recent call last):\n  File \"b.py\", line 2, in <module>\n    call()\nKeyError: 'x'"
    )


@pytest.mark.parametrize(
    ("last", "kind", "message", "exit_code"),
    [
        pytest.param("KeyError: 'x'", "KeyError", "'x'", 4, id="any exception"),
        pytest.param("kelp.errors.DataError: rows: none", "kelp.errors.DataError", "rows: none", 2, id="ours"),
        pytest.param("MemoryError", "MemoryError", "MemoryError", 4, id="no message"),
    ],
)
def test_a_run_without_a_failed_step_is_explained_by_its_log(
    tmp_path: Path, last: str, kind: str, message: str, exit_code: int
) -> None:
    (tmp_path / "run.log").write_text(LOG.format(last=last))

    failure = failure_of_run(tmp_path, [a_record("done")])

    assert (failure.step, failure.type, failure.message, failure.exit_code) == ("", kind, message, exit_code)
    assert failure.place == str(tmp_path / "run.log")


def test_a_failed_step_speaks_for_itself(tmp_path: Path) -> None:
    error = Failure(step="train", type="DataError", message="no rows", exit_code=2)

    assert failure_of_run(tmp_path, [a_record("failed", error)]) == error


def test_a_step_still_running_was_killed(tmp_path: Path) -> None:
    failure = failure_of_run(tmp_path, [a_record("running")])

    assert (failure.step, failure.type) == ("train", "Killed")
    assert "ran out of memory" in failure.message


def test_silence_is_named(tmp_path: Path) -> None:
    assert failure_of_run(tmp_path, []).message == "the runner ended without a word"
