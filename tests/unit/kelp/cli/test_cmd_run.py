# SPDX-License-Identifier: Apache-2.0
"""How the failure of a step in its own process becomes the error of the command."""

from pathlib import Path

import pytest

from kelp.cli.cmd_run import error_of
from kelp.errors import EnvironmentFault, InputError, IntegrityError, KelpError
from kelp.runs.record import Failure

RUN = Path("runs/fraud-1")


@pytest.mark.parametrize(
    ("type_", "exit_code", "kind"),
    [
        pytest.param("DataError", 2, InputError, id="bad data"),
        pytest.param("NotBuiltYet", 2, InputError, id="not built yet"),
        pytest.param("IntegrityError", 4, IntegrityError, id="changed bytes"),
        pytest.param("EnvironmentFault", 4, EnvironmentFault, id="a full disk"),
        pytest.param("Killed", 4, EnvironmentFault, id="a killed step"),
    ],
)
def test_the_exit_code_is_that_of_the_steps_error(type_: str, exit_code: int, kind: type[KelpError]) -> None:
    failure = Failure(step="ingest", type=type_, message="no", place="a.csv", fix="mend it", exit_code=exit_code)
    error = error_of(failure, RUN)
    assert (type(error), error.exit_code) == (kind, exit_code)
    assert (error.message, error.place, error.fix) == ("no", "a.csv", "mend it")


def test_a_failure_without_place_and_fix_names_the_step_and_the_log() -> None:
    error = error_of(Failure(step="train", type="EnvironmentFault", message="no"), RUN)
    assert (error.place, error.fix) == ("step train", "the whole log: runs/fraud-1/run.log")


def test_a_bug_brings_its_traceback() -> None:
    failure = Failure(step="train", type="ZeroDivisionError", message="division by zero", traceback="Traceback ...")
    error = error_of(failure, RUN)
    assert error.message == "ZeroDivisionError: division by zero\nTraceback ..."
    assert isinstance(error, EnvironmentFault)
