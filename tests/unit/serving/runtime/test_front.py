# SPDX-License-Identifier: Apache-2.0
import asyncio
import json
import threading
from typing import Any

import numpy as np
import pytest

from kelp.frame.history import History
from kelp.frame.online import Online
from kelp.frame.scorer import Scorer
from kelp.frame.transform import Feature, RawColumn, Transform, Window
from serving.runtime.ask import Ask
from serving.runtime.control import Control
from serving.runtime.endpoint import prediction_endpoint
from serving.runtime.front import Front, Message, Receive, Scope, Send
from serving.runtime.model import OFF_LOOP_ROWS
from serving.runtime.plane import Plane
from serving.runtime.worker import Worker
from tests.unit.serving.runtime.planes import AMOUNT, Doubling, a_plane

QUOTES = Transform(
    task="regression",
    classes=(),
    time="at",
    columns=(
        RawColumn(name="at", type="timestamp", nullable=False),
        RawColumn(name="sku", type="string", nullable=False),
    ),
    windows=(Window(name="quotes", by=("sku",), over="sku", take="count", start_us=10, end_us=1),),
    features=(Feature(name="quotes", column="quotes", kind="number"),),
)


async def quiet_app(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def failing_app(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("before the reply")


async def app_failing_after_its_reply(scope: Scope, receive: Receive, send: Send) -> None:
    await quiet_app(scope, receive, send)
    raise RuntimeError("after the reply")


def a_front(app: Any = quiet_app, online: Online | None = None, problem: Exception | None = None) -> Front:
    return front_of(a_plane(online, problem=problem)[0], app)


def front_of(plane: Plane, app: Any = quiet_app) -> Front:
    worker = Worker(plane.models)
    return Front(app, plane, Control(plane, worker.everywhere, worker.samples))


def asked(front: Front, *chunks: bytes, method: str = "POST", path: str = "/v1/models/price:predict") -> list[Message]:
    """What the application sends for a request whose body comes in chunks; with none, the caller hangs up."""
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if messages:
        messages[-1]["more_body"] = False
    messages.append({"type": "http.disconnect"})
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(front({"type": "http", "method": method, "path": path, "headers": []}, receive, send))
    return sent


def test_body_in_chunks_is_answered() -> None:
    start, body = asked(a_front(), b'{"instances": ', b"[[4]", b"]}")
    assert (start["status"], body["body"]) == (200, b'{"predictions":[{"score":8.0}]}')
    assert (b"x-model-version", b"3") in start["headers"]


def test_caller_that_hung_up_is_sent_nothing() -> None:
    assert asked(a_front()) == []


@pytest.mark.parametrize("rows", [1, OFF_LOOP_ROWS + 1])
def test_failing_model_is_500_with_the_requests_id_and_without_details(
    rows: int, caplog: pytest.LogCaptureFixture
) -> None:
    plane, metrics = a_plane(problem=RuntimeError("secret"))
    body = ('{"instances": [' + ",".join(["[1]"] * rows) + "]}").encode()
    start, answer = asked(front_of(plane), body)
    assert start["status"] == 500
    assert b"secret" not in answer["body"]
    assert json.loads(answer["body"])["request_id"] == dict(start["headers"])[b"x-request-id"].decode()
    assert metrics.of("price", "3", has_classes=False).requests == {500: 1}
    assert "a request failed" in caplog.text


def test_requests_for_unknown_models_are_counted_without_their_names() -> None:
    plane, metrics = a_plane()
    start, _ = asked(front_of(plane), b"{}", path="/v1/models/other:predict")
    assert start["status"] == 404
    codes = {sample.labels["model"]: sample.labels["code"] for sample in next(iter(metrics.collect())).samples}
    assert codes == {"": "404"}


def test_reply_of_an_application_that_fails_afterwards_is_kept() -> None:
    assert [message["type"] for message in asked(a_front(app_failing_after_its_reply), b"", method="GET")] == [
        "http.response.start",
        "http.response.body",
    ]


def test_application_that_fails_before_its_reply_is_500() -> None:
    start, _ = asked(a_front(failing_app), b"", method="GET", path="/v2")
    assert start["status"] == 500


def test_request_that_would_wait_for_another_does_not_block_the_event_loop() -> None:
    class BusyHistory(History):
        """Another thread is at work in it until `finish` is set."""

        finish = threading.Event()
        is_busy = True

        def answer(self, columns: Any, rows: int, cell: Any = None) -> dict[str, Any]:
            assert self.finish.wait(timeout=30)
            return {"quotes": np.full(rows, 4.0)}

    async def ask() -> Any:
        history = BusyHistory(QUOTES)
        plane, _ = a_plane(Online(Scorer(QUOTES, Doubling()), history))
        predicting = asyncio.create_task(plane.predict(an_ask(b'{"instances": [[1, "tea"]]}')))
        await asyncio.sleep(0)
        history.finish.set()  # never reached if the request waits in the event loop
        return (await predicting).written

    assert asyncio.run(ask()) == (b'{"predictions":[{"score":8.0}]}', None)


def an_ask(body: bytes) -> Ask:
    endpoint = prediction_endpoint("/v1/models/price:predict")
    assert endpoint is not None
    return Ask(endpoint, ({}, body), len(body), "r-1", 0.0)


def test_metadata_says_what_the_history_holds() -> None:
    front = a_front(online=Online(Scorer(QUOTES, Doubling()), History(QUOTES)))
    start, body = asked(front, b"", method="GET", path="/v2/models/price")
    assert start["status"] == 200
    assert json.loads(body["body"])["history"]["entities"] == 0
    assert json.loads(asked(a_front(), b"", method="GET", path="/v2/models/price")[1]["body"])["history"] is None


@pytest.mark.parametrize("path", ["/v2/health/ready", "/v1/models", "/v2", "/"])
def test_what_is_about_the_server_is_answered_by_kserve(path: str) -> None:
    assert asked(a_front(), b"", method="GET", path=path)[0]["status"] == 204


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/models/price", 200),
        ("/v2/models/price/ready", 200),
        ("/v2/models/price/versions/3/ready", 200),
        ("/v2/models/price/versions/3", 200),
        ("/v2/models/price/versions/4", 404),
        ("/v2/models/price/versions/4/ready", 404),
        ("/v2/models/other", 404),
        ("/v1/models/other", 404),
    ],
)
def test_model_in_a_version_is_there_or_not(path: str, status: int) -> None:
    assert asked(a_front(), b"", method="GET", path=path)[0]["status"] == status


def test_model_that_is_not_in_memory_is_loaded_by_the_request_for_it() -> None:
    plane, _ = a_plane(is_loaded=False)
    assert plane.models.index()[0]["state"] == "UNAVAILABLE"
    assert asked(front_of(plane), b'{"instances": [[4]]}')[0]["status"] == 200
    assert plane.models.index()[0]["state"] == "READY"


def test_large_batch_does_not_block_the_event_loop() -> None:
    async def ask() -> bool:
        """Score many rows with a model that waits for the event loop to run."""
        loop = asyncio.get_running_loop()

        class WaitsForTheLoop(Doubling):
            def run(self, outputs: list[str], inputs: dict[str, Any]) -> list[Any]:
                asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(timeout=30)
                return [np.zeros(len(inputs["rows"]), dtype=np.float32)]

        plane, _ = a_plane(Online(Scorer(AMOUNT, WaitsForTheLoop())))
        rows = ",".join(["[1]"] * (OFF_LOOP_ROWS + 1))
        return (await plane.predict(an_ask(f'{{"instances": [{rows}]}}'.encode()))).error is None

    assert asyncio.run(ask())


@pytest.mark.parametrize(("body", "states"), [(b"", 1), (b'{"ready": false}', 1), (b'{"ready": true}', 0)])
def test_index_is_asked_for_as_v2_has_it(body: bytes, states: int) -> None:
    plane, _ = a_plane(is_loaded=False)
    start, answer = asked(front_of(plane), body, path="/v2/repository/index")
    assert (start["status"], len(json.loads(answer["body"]))) == (200, states)
