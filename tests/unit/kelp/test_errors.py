# SPDX-License-Identifier: Apache-2.0
"""The tree of errors: what each one exits with and answers, and that it survives the way between processes."""

import inspect
import pickle

import pytest

from kelp import errors
from kelp.errors import EnvironmentFault, InputError, KelpError, SpecError

CODES = {
    "InputError": (2, 400, False),
    "SpecError": (2, 400, False),
    "DataError": (2, 400, False),
    "RequestError": (2, 400, False),
    "NotFound": (2, 404, False),
    "TooLarge": (2, 413, False),
    "WrongMediaType": (2, 415, False),
    "NotBuiltYet": (2, 400, False),
    "GateFailed": (3, 500, False),
    "Conflict": (4, 409, True),
    "Refused": (4, 403, False),
    "IntegrityError": (4, 500, False),
    "EnvironmentFault": (4, 503, True),
    "NotReady": (4, 503, True),
}
KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, KelpError)]


def test_codes_are_those_of_the_drawn_tree() -> None:
    found = {
        kind.__name__: (kind.exit_code, kind.http_status, kind.retryable) for kind in KINDS if kind is not KelpError
    }
    assert found == CODES
    assert all(f"── {name} " in (errors.__doc__ or "") for name in CODES)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_keeps_place_and_fix_between_processes(kind: type[KelpError]) -> None:
    again = pickle.loads(pickle.dumps(kind("is full", place="/disk", fix="empty it")))
    assert type(again) is kind
    assert (str(again), again.message, again.place, again.fix) == ("/disk: is full", "is full", "/disk", "empty it")


def test_an_error_without_a_place_is_its_message() -> None:
    assert str(EnvironmentFault("is full")) == "is full"


def test_a_spec_error_lists_its_problems() -> None:
    error = SpecError("2 problems", place="a.yaml", problems=["x: wrong", "y: wrong"])
    assert str(error) == "a.yaml: 2 problems\n  x: wrong\n  y: wrong"
    assert error.problems == ("x: wrong", "y: wrong")
    assert isinstance(error, InputError)
