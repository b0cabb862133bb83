# SPDX-License-Identifier: Apache-2.0
import asyncio
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from kelp.audit.identity import Identities
from kelp.audit.schema import DATABASE
from kelp.audit.server import MAX_BODY_BYTES, create_app
from tests.contract.audit_server import AUDITOR, IDENTITIES, ROLLOUT, TRAINER, write_tokens
from tests.unit.kelp.audit.log_factory import a_log

RECORD = {"action": "run.start", "subject": "fraud"}
MOVE = {"expected": None, "version": 1}


class Client:
    """Asks the app itself, without a network."""

    def __init__(self, app: Starlette) -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def request(self, method: str, path: str, **content: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://audit.test") as client:
                return await client.request(method, path, **content)

        return asyncio.run(ask())

    def get(self, path: str, **content: Any) -> httpx.Response:
        return self.request("GET", path, **content)

    def post(self, path: str, **content: Any) -> httpx.Response:
        return self.request("POST", path, **content)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    write_tokens(tmp_path / "tokens.json", IDENTITIES)
    with a_log(tmp_path / "log") as log:
        yield Client(create_app(log.ledger, Identities(tmp_path / "tokens.json")))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def assert_error(response: httpx.Response, status: int, message: str) -> None:
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"error", "message", "place", "fix"}
    assert message in f"{body['place']}: {body['message']}"


def test_an_append_answers_201_with_the_record_and_its_checkpoint(client: Client) -> None:
    response = client.post("/v1/records", json=RECORD, headers=bearer(TRAINER))
    assert response.status_code == 201
    assert response.json()["record"]["actor"] == "trainer"
    assert response.json()["checkpoint"] == client.get("/v1/checkpoint", headers=bearer(AUDITOR)).text


@pytest.mark.parametrize(
    ("body", "place"),
    [
        pytest.param(b"", "body: JSON was expected", id="empty"),
        pytest.param(b"{", "body: JSON was expected", id="half"),
        pytest.param(b"\xff", "body: JSON was expected", id="not-utf-8"),
        pytest.param(b"[" * 100_000, "body: JSON was expected", id="nested-deeply"),
        pytest.param(b"1" * 10_000, "body: JSON was expected", id="endless-number"),
        pytest.param(b"[]", "body", id="list"),
        pytest.param(b"null", "body", id="null"),
        pytest.param(b'{"subject": "fraud"}', "action", id="no-action"),
        pytest.param(json.dumps({**RECORD, "actor": "mallory"}).encode(), "actor", id="own-actor"),
        pytest.param(json.dumps({**RECORD, "seq": 0}).encode(), "seq", id="own-seq"),
        pytest.param(json.dumps({**RECORD, "action": "alias.move"}).encode(), "action", id="move-in-disguise"),
        pytest.param(json.dumps({**RECORD, "detail": {"x": float("nan")}}).encode(), "canonical", id="nan"),
        pytest.param(json.dumps({**RECORD, "detail": {"x": "\ud800"}}).encode(), "detail", id="lone-surrogate"),
        pytest.param(json.dumps({**RECORD, "key": "two words"}).encode(), "key", id="space-in-key"),
        pytest.param(
            b'{"action":"run.start","subject":"x","detail":{"x":' + b"[" * 900 + b"]" * 900 + b"}}",
            "",
            id="nested-to-the-parsers-limit",
        ),
    ],
)
def test_a_wrong_body_answers_422_with_the_field(client: Client, body: bytes, place: str) -> None:
    assert_error(client.post("/v1/records", content=body, headers=bearer(TRAINER)), 422, place)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param(bearer("unknown"), id="unknown-token"),
        pytest.param({"Authorization": f"Basic {TRAINER}"}, id="another-scheme"),
        pytest.param({"Authorization": TRAINER}, id="no-scheme"),
        pytest.param({"Authorization": "Bearer é".encode("latin-1")}, id="not-ascii"),
        pytest.param({"Authorization": ""}, id="empty"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("POST", "/v1/records", id="append"),
        pytest.param("POST", "/v1/aliases/fraud/champion", id="move"),
        pytest.param("GET", "/v1/records", id="records"),
        pytest.param("GET", "/v1/checkpoint", id="checkpoint"),
        pytest.param("GET", "/v1/vkey", id="vkey"),
        pytest.param("GET", "/v1/aliases/fraud", id="aliases"),
        pytest.param("GET", "/v1/proofs/inclusion/0", id="inclusion"),
        pytest.param("GET", "/v1/proofs/consistency?from=0", id="consistency"),
    ],
)
def test_who_is_unknown_gets_401(client: Client, method: str, path: str, headers: Mapping[str, str]) -> None:
    response = client.request(method, path, headers=headers)
    assert_error(response, 401, "a bearer token that this service knows")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("token", "path", "body"),
    [
        pytest.param(AUDITOR, "/v1/records", RECORD, id="auditor-appends"),
        pytest.param(AUDITOR, "/v1/aliases/fraud/champion", MOVE, id="auditor-moves"),
        pytest.param(TRAINER, "/v1/aliases/fraud/champion", MOVE, id="appender-moves"),
    ],
)
def test_who_may_not_gets_403(client: Client, token: str, path: str, body: dict[str, Any]) -> None:
    assert_error(client.post(path, json=body, headers=bearer(token)), 403, "may not")
    assert client.get("/v1/records", headers=bearer(AUDITOR)).json() == {"records": []}


def test_an_alias_elsewhere_answers_409(client: Client) -> None:
    client.post("/v1/aliases/fraud/champion", json=MOVE, headers=bearer(ROLLOUT))
    response = client.post("/v1/aliases/fraud/champion", json=MOVE, headers=bearer(ROLLOUT))
    assert_error(response, 409, "was expected at nothing, it is at 1")


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        pytest.param("/v1/aliases/Fraud/champion", MOVE, "model", id="model"),
        pytest.param("/v1/aliases/fraud/%00", MOVE, "alias", id="alias"),
        pytest.param("/v1/aliases/fraud/champion", {"version": 1}, "expected", id="no-expected"),
        pytest.param("/v1/aliases/fraud/champion", {**MOVE, "version": "1"}, "version", id="text-version"),
        pytest.param("/v1/aliases/fraud/champion", {**MOVE, "version": 2**60}, "version", id="huge-version"),
        pytest.param("/v1/aliases/fraud/champion", {**MOVE, "model": "other"}, "model", id="model-in-body"),
    ],
)
def test_a_wrong_move_answers_422_with_the_field(client: Client, path: str, body: dict[str, Any], place: str) -> None:
    assert_error(client.post(path, json=body, headers=bearer(ROLLOUT)), 422, place)


@pytest.mark.parametrize(
    ("path", "status", "place"),
    [
        pytest.param("/v1/records?start=x", 422, "start: an integer", id="start"),
        pytest.param("/v1/records?start=-1", 422, "start", id="negative-start"),
        pytest.param("/v1/records?limit=1001", 422, "limit", id="limit"),
        pytest.param("/v1/records?limit=" + "9" * 5000, 422, "limit", id="endless-limit"),
        pytest.param("/v1/proofs/inclusion/x", 422, "seq", id="seq"),
        pytest.param("/v1/proofs/inclusion/0", 404, "there is no record 0", id="no-record"),
        pytest.param("/v1/proofs/inclusion/-1", 404, "there is no record -1", id="negative-seq"),
        pytest.param("/v1/proofs/consistency", 422, "from", id="no-from"),
        pytest.param("/v1/proofs/consistency?from=7", 404, "never of size 7", id="never-that-large"),
        pytest.param("/v1/aliases/Fraud", 422, "model", id="model"),
        pytest.param("/v1/nothing", 404, "Not Found", id="no-endpoint"),
        pytest.param("/", 404, "Not Found", id="root"),
    ],
)
def test_a_wrong_question_answers_with_what_is_wrong(client: Client, path: str, status: int, place: str) -> None:
    assert_error(client.get(path, headers=bearer(AUDITOR)), status, place)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("DELETE", "/v1/records", id="delete-records"),
        pytest.param("PUT", "/v1/records", id="put-records"),
        pytest.param("POST", "/v1/checkpoint", id="sign"),
        pytest.param("DELETE", "/v1/aliases/fraud", id="delete-aliases"),
    ],
)
def test_nothing_can_be_rewritten_or_signed_from_outside(client: Client, method: str, path: str) -> None:
    assert_error(client.request(method, path, headers=bearer(ROLLOUT)), 405, "Method Not Allowed")


@pytest.mark.parametrize("size", [70_000, MAX_BODY_BYTES + 1], ids=["over-a-record", "over-a-body"])
def test_too_much_answers_413(client: Client, size: int) -> None:
    body = {**RECORD, "detail": {"x": "x" * size}}
    assert_error(client.post("/v1/records", json=body, headers=bearer(TRAINER)), 413, "at most")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    method=st.sampled_from(["GET", "POST"]),
    path=st.sampled_from(["/v1/records", "/v1/aliases/fraud/champion", "/v1/aliases/fraud", "/v1/proofs/inclusion/0"]),
    query=st.dictionaries(st.sampled_from(["start", "limit", "from"]), st.text(max_size=5)),
    body=st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["action", "subject", "detail", "key", "expected", "version", "x"]), inner, max_size=6
            )
        ),
    ).map(lambda value: json.dumps(value).encode()),
)
def test_no_bad_input_is_the_services_fault(
    client: Client, method: str, path: str, query: dict[str, str], body: bytes
) -> None:
    response = client.request(method, path, params=query, content=body, headers=bearer(ROLLOUT))
    assert response.status_code in {200, 201, 404, 405, 409, 413, 422}


def test_health_and_metrics_need_no_token(client: Client) -> None:
    client.post("/v1/records", json=RECORD, headers=bearer(TRAINER))
    assert client.get("/healthz").text == "ok\n"
    assert "kelp_audit_records_total 1\n" in client.get("/metrics").text


def test_a_log_that_was_tampered_with_is_the_services_fault_and_says_so(client: Client, tmp_path: Path) -> None:
    client.post("/v1/records", json=RECORD, headers=bearer(TRAINER))
    with closing(sqlite3.connect(tmp_path / "log" / DATABASE)) as database, database:
        database.execute("DELETE FROM nodes")
    response = client.post("/v1/records", json=RECORD, headers=bearer(TRAINER))
    assert_error(response, 500, "is missing")
    assert response.json()["error"] == "IntegrityError"
