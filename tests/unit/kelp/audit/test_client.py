# SPDX-License-Identifier: Apache-2.0
import json
from collections.abc import Callable

import httpx
import pytest

from kelp.audit.client import RETRIES_AFTER_S, HttpLog
from kelp.errors import Conflict, EnvironmentFault, InputError, IntegrityError, KelpError, Refused

ENTRY = {
    "record": {
        "seq": 0,
        "time": "2026-01-01T00:00:00.000000Z",
        "actor": "a",
        "action": "run.start",
        "subject": "fraud",
        "detail": {},
    },
    "checkpoint": "note",
}


class Service:
    """Answers requests in turn, the last answer for ever; keeps the bodies and the pauses."""

    def __init__(self, *answers: Callable[[], httpx.Response]) -> None:
        self._answers = list(answers)
        self.bodies: list[dict[str, object]] = []
        self.pauses: list[float] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(json.loads(request.content or b"{}"))
        return (self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])()

    def log(self, *keys: str) -> HttpLog:
        spare = iter(keys or ("key-1", "key-2"))
        return HttpLog(
            "http://audit.test/",
            "token",
            transport=httpx.MockTransport(self.answer),
            make_key=lambda: next(spare),
            pause=self.pauses.append,
        )


def status(code: int, content: object = None) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(code, json=content)


def no_answer() -> httpx.Response:
    raise httpx.ReadTimeout("too late")


def refusal(kind: str) -> dict[str, str]:
    return {"error": kind, "message": "no", "place": "there", "fix": "this"}


@pytest.mark.parametrize(
    "first",
    [pytest.param(no_answer, id="no-answer"), *(pytest.param(status(c), id=str(c)) for c in (429, 502, 503, 504))],
)
def test_a_request_that_was_not_answered_is_sent_again_under_the_same_key(
    first: Callable[[], httpx.Response],
) -> None:
    service = Service(first, status(201, ENTRY))
    with service.log() as log:
        assert log.append("run.start", "fraud").seq == 0
    assert [body["key"] for body in service.bodies] == ["key-1", "key-1"]
    assert service.pauses == [RETRIES_AFTER_S[0]]


def test_two_appends_have_two_keys() -> None:
    service = Service(status(201, ENTRY))
    with service.log() as log:
        log.append("run.start", "fraud")
        log.append("run.start", "fraud")
    assert [body["key"] for body in service.bodies] == ["key-1", "key-2"]


def test_a_service_that_never_answers_is_an_environment_fault() -> None:
    service = Service(no_answer)
    with service.log() as log, pytest.raises(EnvironmentFault, match="too late") as caught:
        log.checkpoint()
    assert caught.value.place == "http://audit.test"
    assert service.pauses == list(RETRIES_AFTER_S)


@pytest.mark.parametrize(
    ("code", "kind", "error"),
    [
        pytest.param(401, "Refused", Refused, id="401"),
        pytest.param(403, "Refused", Refused, id="403"),
        pytest.param(409, "Conflict", Conflict, id="409"),
        pytest.param(422, "InputError", InputError, id="422"),
        pytest.param(500, "IntegrityError", IntegrityError, id="500"),
        pytest.param(418, "SomethingLater", EnvironmentFault, id="unknown-kind"),
    ],
)
def test_a_refusal_is_raised_at_once_as_the_service_meant_it(code: int, kind: str, error: type[KelpError]) -> None:
    service = Service(status(code, refusal(kind)))
    with service.log() as log, pytest.raises(error) as caught:
        log.append("run.start", "fraud")
    assert (caught.value.message, caught.value.place, caught.value.fix) == ("no", "there", "this")
    assert service.pauses == []


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda: httpx.Response(404, text="<html>"), id="html-404"),
        pytest.param(lambda: httpx.Response(200, text="<html>"), id="html-200"),
        pytest.param(lambda: httpx.Response(302, headers={"location": "http://login.test"}), id="redirect"),
        pytest.param(status(200, {"aliases": {"champion": "one"}}), id="wrong-types"),
        pytest.param(status(200, []), id="list"),
    ],
)
def test_what_is_no_audit_service_is_an_environment_fault(answer: Callable[[], httpx.Response]) -> None:
    with Service(answer).log() as log, pytest.raises(EnvironmentFault, match="not an audit service's"):
        log.aliases("fraud")


def test_a_checkpoint_that_is_none_is_no_size() -> None:
    with Service(lambda: httpx.Response(200, text="<html>")).log() as log, pytest.raises(KelpError):
        log.size()


@pytest.mark.parametrize("token", ["", "two\nlines", "é"], ids=["empty", "newline", "not-ascii"])
def test_a_token_that_fits_no_header_is_refused(token: str) -> None:
    with pytest.raises(InputError, match="token"):
        HttpLog("http://audit.test", token)


def test_nobody_listening_is_an_environment_fault() -> None:
    with HttpLog("http://127.0.0.1:1", "token", pause=lambda _: None) as log, pytest.raises(EnvironmentFault):
        log.checkpoint()


@pytest.mark.parametrize("address", ["http://[::1", "http://audit.test:port"], ids=["bracket", "port"])
def test_an_address_that_is_none_is_an_environment_fault(address: str) -> None:
    with HttpLog(address, "token", pause=lambda _: None) as log, pytest.raises(EnvironmentFault):
        log.checkpoint()
