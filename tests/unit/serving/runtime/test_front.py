# SPDX-License-Identifier: Apache-2.0
import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from kelp.frame.history import History
from kelp.frame.online import Online
from kelp.frame.scorer import Scorer
from kelp.frame.transform import Feature, RawColumn, Transform, Window
from serving.runtime.front import Front, Message, Receive, Scope, Send
from serving.runtime.metrics import Metrics
from serving.runtime.model import OFF_LOOP_ROWS, ServedModel
from serving.runtime.plane import Plane
from serving.runtime.v1 import V1Request

AMOUNT = Transform(
    task="regression",
    classes=(),
    columns=(RawColumn(name="amount", type="float", nullable=True),),
    features=(Feature(name="amount", column="amount", kind="number", fill=0),),
)
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


class Doubling:
    """A session whose model doubles its only feature, or raises."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.problem = problem

    def run(self, outputs: list[str], inputs: dict[str, Any]) -> list[Any]:
        if self.problem:
            raise self.problem
        return [2 * inputs["rows"][:, 0]]


async def quiet_app(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def failing_app(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("before the reply")


async def app_failing_after_its_reply(scope: Scope, receive: Receive, send: Send) -> None:
    await quiet_app(scope, receive, send)
    raise RuntimeError("after the reply")


def a_front(app: Any = quiet_app, problem: Exception | None = None, registry: CollectorRegistry | None = None) -> Front:
    model = ServedModel("price", 3, Online(Scorer(AMOUNT, Doubling(problem))), Path())
    if registry is not None:
        Metrics(registry, {("price", "3", "champion"): model.metrics})
    return Front(app, Plane({"price": model}, body_limit=1_000_000))


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
def test_failing_model_is_500_without_details(rows: int) -> None:
    registry = CollectorRegistry()
    body = ('{"instances": [' + ",".join(["[1]"] * rows) + "]}").encode()
    start, answer = asked(a_front(problem=RuntimeError("secret"), registry=registry), body)
    assert start["status"] == 500
    assert b"secret" not in answer["body"]
    labels = {"model": "price", "version": "3", "arm": "champion", "code": "500"}
    assert registry.get_sample_value("kelp_requests_total", labels) == 1


def test_unknown_models_make_no_metric() -> None:
    registry = CollectorRegistry()
    start, _ = asked(a_front(registry=registry), b"{}", path="/v1/models/other:predict")
    assert start["status"] == 404
    assert [
        sample for metric in registry.collect() for sample in metric.samples if sample.name == "kelp_requests_total"
    ] == []


def test_reply_of_an_application_that_fails_afterwards_is_kept() -> None:
    assert [message["type"] for message in asked(a_front(app_failing_after_its_reply), b"", method="GET")] == [
        "http.response.start",
        "http.response.body",
    ]


def test_application_that_fails_before_its_reply_is_500() -> None:
    start, _ = asked(a_front(failing_app), b"", method="GET")
    assert start["status"] == 500


def test_request_that_would_wait_for_another_does_not_block_the_event_loop() -> None:
    class BusyHistory(History):
        """Another thread is at work in it until `finish` is set."""

        finish = threading.Event()
        is_busy = True

        def answer(self, columns: Any, rows: int, cell: Any = None) -> dict[str, Any]:
            assert self.finish.wait(timeout=30)
            return {"quotes": np.full(rows, 4.0)}

    async def ask() -> list[float]:
        history = BusyHistory(QUOTES)
        model = ServedModel("price", 3, Online(Scorer(QUOTES, Doubling()), history), Path())
        asked = asyncio.create_task(model.predict(V1Request([{"at": 1, "sku": "tea"}])))
        await asyncio.sleep(0)
        history.finish.set()  # never reached if the request waits in the event loop
        return (await asked).scores

    assert asyncio.run(ask()) == [8.0]


def test_metadata_of_a_model_with_a_history_is_answered_here_and_others_by_kserve() -> None:
    model = ServedModel("price", 3, Online(Scorer(QUOTES, Doubling()), History(QUOTES)), Path())
    front = Front(quiet_app, Plane({"price": model}, body_limit=9))
    start, body = asked(front, b"", method="GET", path="/v2/models/price")
    assert start["status"] == 200
    assert json.loads(body["body"])["history"]["entities"] == 0
    for path in ("/v2/models/other", "/v2/models/price/ready", "/v1/models/price"):
        assert asked(front, b"", method="GET", path=path)[0]["status"] == 204
    assert asked(a_front(), b"", method="GET", path="/v2/models/price")[0]["status"] == 204


def test_large_batch_does_not_block_the_event_loop() -> None:
    async def ask() -> bool:
        """Score many rows with a model that waits for the event loop to run."""
        loop = asyncio.get_running_loop()

        class WaitsForTheLoop(Doubling):
            def run(self, outputs: list[str], inputs: dict[str, Any]) -> list[Any]:
                asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(timeout=30)
                return [np.zeros(len(inputs["rows"]), dtype=np.float32)]

        model = ServedModel("price", 3, Online(Scorer(AMOUNT, WaitsForTheLoop())), Path())
        answer = await model.predict(V1Request([[1.0]] * (OFF_LOOP_ROWS + 1)))
        return len(answer.scores) == OFF_LOOP_ROWS + 1

    assert asyncio.run(ask())
