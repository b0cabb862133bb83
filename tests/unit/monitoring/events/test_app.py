# SPDX-License-Identifier: Apache-2.0
"""The endpoint: what is stored, what is refused, and what the sender is told."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import orjson
import pytest

from kelp.cli.page_server import serving
from kelp.events import BATCH_TYPE, cloud_event
from monitoring.events.app import events_app
from monitoring.events.received import EVENT_TYPE
from monitoring.events.schema import DATABASE
from monitoring.events.store import EventStore
from tests.unit.monitoring.events.made import a_batch, a_prediction

BATCH = {"content-type": BATCH_TYPE}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    with EventStore(tmp_path / DATABASE) as opened:
        yield opened


@pytest.fixture
def client(store: EventStore) -> Iterator[httpx.Client]:
    with a_client(store) as connected:
        yield connected


@contextmanager
def a_client(store: EventStore) -> Iterator[httpx.Client]:
    app = events_app(store, hosts=["127.0.0.1"], most_bytes=2_000)
    with serving(app, 0) as address, httpx.Client(base_url=address) as connected:
        yield connected


def test_a_batch_is_stored_when_it_is_answered(client: httpx.Client, store: EventStore) -> None:
    answer = client.post("/events", content=a_batch(a_prediction(1), a_prediction(2)), headers=BATCH)
    assert (answer.status_code, answer.json()) == (202, {"stored": 2, "repeated": 0})
    assert store.find("request-2") == [a_prediction(2)]


def test_the_same_batch_again_is_accepted_and_not_stored(client: httpx.Client, store: EventStore) -> None:
    for stored in (2, 0):
        answer = client.post("/events", content=a_batch(a_prediction(1), a_prediction(2)), headers=BATCH)
        assert (answer.status_code, answer.json()) == (202, {"stored": stored, "repeated": 2 - stored})
    assert store.count() == 2


@pytest.mark.parametrize("kind", [EVENT_TYPE, f"{EVENT_TYPE.upper()}; charset=utf-8"])
def test_a_single_event_is_stored(client: httpx.Client, store: EventStore, kind: str) -> None:
    body = orjson.dumps(cloud_event(a_prediction(7)))
    assert client.post("/events", content=body, headers={"content-type": kind}).status_code == 202
    assert store.find("request-7") == [a_prediction(7)]


def test_a_batch_with_something_else_in_it_is_not_stored_at_all(
    client: httpx.Client, store: EventStore, caplog: pytest.LogCaptureFixture
) -> None:
    body = orjson.dumps([cloud_event(a_prediction(1)), {**cloud_event(a_prediction(2)), "time": "a secret"}])
    answer = client.post("/events", content=body, headers=BATCH)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("events[1]: expected an event of a prediction")
    assert store.count() == 0
    assert "secret" not in caplog.text


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/cloudevents-batch", ""])
def test_another_type_is_415(client: httpx.Client, store: EventStore, kind: str) -> None:
    answer = client.post("/events", content=a_batch(a_prediction(1)), headers={"content-type": kind})
    assert answer.status_code == 415
    assert BATCH_TYPE in answer.json()["error"]
    assert store.count() == 0


def test_a_body_over_the_limit_is_413(client: httpx.Client, store: EventStore) -> None:
    answer = client.post("/events", content=a_batch(*map(a_prediction, range(20))), headers=BATCH)
    assert answer.status_code == 413
    assert "at most 2000 bytes" in answer.json()["error"]
    assert store.count() == 0


def test_a_store_that_cannot_be_written_is_503_and_health_says_so(
    client: httpx.Client, store: EventStore, caplog: pytest.LogCaptureFixture
) -> None:
    store._database.execute("PRAGMA busy_timeout = 10")
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with caplog.at_level(logging.ERROR):
            answer = client.post("/events", content=a_batch(a_prediction(1)), headers=BATCH)
    assert answer.status_code == 503
    assert (str(store.path) in answer.json()["error"], bool(answer.json()["fix"])) == (True, True)
    assert "database is locked" in caplog.text
    assert client.post("/events", content=a_batch(a_prediction(1)), headers=BATCH).status_code == 202


def test_a_fault_of_the_program_is_500_and_logged(
    client: httpx.Client, store: EventStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.close()
    answer = client.post("/events", content=a_batch(a_prediction(1)), headers=BATCH)
    assert (answer.status_code, answer.json()) == (500, {"error": "the store of events failed; its log says how"})
    assert "ProgrammingError" in caplog.text


def test_metrics_count_what_was_stored_repeated_and_dropped(tmp_path: Path) -> None:
    with EventStore(tmp_path / "few.db", most=2) as few, a_client(few) as client:
        for _ in range(2):
            client.post("/events", content=a_batch(a_prediction(1), a_prediction(2), a_prediction(3)), headers=BATCH)
        lines = client.get("/metrics").text.splitlines()
    assert "kelp_events_stored_total 4.0" in lines  # the first was dropped before it came again
    assert "kelp_events_repeated_total 2.0" in lines
    assert "kelp_events_dropped_total 2.0" in lines
    assert "kelp_events_kept 2.0" in lines


def test_health_is_ok(client: httpx.Client) -> None:
    assert (client.get("/health").status_code, client.get("/health").text) == (200, "ok\n")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/events", 405, id="events cannot be read"),
        pytest.param("DELETE", "/events", 405, id="nor deleted"),
        pytest.param("POST", "/health", 405, id="health cannot be set"),
        pytest.param("GET", "/", 404, id="nothing else is there"),
    ],
)
def test_other_requests_are_refused(client: httpx.Client, method: str, path: str, status: int) -> None:
    assert client.request(method, path).status_code == status


def test_a_request_for_another_host_is_refused(client: httpx.Client, store: EventStore) -> None:
    for path, method in (("/events", "POST"), ("/metrics", "GET")):
        answer = client.request(method, path, content=a_batch(a_prediction(1)), headers={**BATCH, "host": "evil.test"})
        assert answer.status_code == 400
    assert store.count() == 0
