# SPDX-License-Identifier: Apache-2.0
"""Events over HTTP: `POST /events` keeps them, and answers 202 when they are on the disk.

It is for the model servers of one home, and asks nobody who they are: `__main__` binds it to 127.0.0.1 unless told
otherwise, and requests for another host are refused, so that a web page cannot reach it by a name that it points here.
What a status means to the log that sends (`serving.runtime.sink`): 503 and 500 are tried again, 4xx are not.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from kelp.errors import KelpError, TooLarge, WrongMediaType
from monitoring.events.hosts import KnownHosts
from monitoring.events.received import TYPES, predictions
from monitoring.events.store import EventStore

MOST_BODY_BYTES = 64 * 1024 * 1024

_logger = logging.getLogger(__name__)


def events_app(store: EventStore, *, hosts: Sequence[str], most_bytes: int = MOST_BODY_BYTES) -> Starlette:
    """The application around a store, which the caller closes; `hosts` are the names that it answers to."""
    service = _Service(store, most_bytes)
    return Starlette(
        routes=[
            Route("/events", service.events, methods=["POST"]),
            Route("/health", service.health),
            Route("/metrics", service.metrics),
        ],
        middleware=[Middleware(KnownHosts, names=hosts)],
        exception_handlers={KelpError: _refused, ClientDisconnect: _gone, Exception: _failed},
    )


class _Service:
    """Everything that touches the store happens in a thread, one thing at a time."""

    def __init__(self, store: EventStore, most_bytes: int) -> None:
        self._store = store
        self._most_bytes = most_bytes
        self._turn = asyncio.Lock()
        self._metrics = CollectorRegistry()
        self._metrics.register(_Counted(store))

    async def events(self, request: Request) -> Response:
        kind = _media_type(request)
        body = await self._body(request)
        return JSONResponse(await self._in_turn(self._keep, kind, body), 202)

    async def health(self, request: Request) -> Response:
        await self._in_turn(self._store.totals)
        return PlainTextResponse("ok\n")

    async def metrics(self, request: Request) -> Response:
        text = await self._in_turn(generate_latest, self._metrics)
        return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    def _keep(self, kind: str, body: bytes) -> dict[str, int]:
        found = predictions(kind, body)
        stored = self._store.append(found)
        return {"stored": stored, "repeated": len(found) - stored}

    async def _in_turn(self, work: Callable[..., Any], *arguments: Any) -> Any:
        async with self._turn:
            return await asyncio.to_thread(work, *arguments)

    async def _body(self, request: Request) -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._most_bytes:
                raise TooLarge(
                    f"expected at most {self._most_bytes} bytes, found more", place="body", fix="send smaller batches"
                )
        return bytes(body)


class _Counted(Collector):
    """The store's totals as metrics; they count since the file was begun, whichever process did it."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    def describe(self) -> Iterator[Metric]:
        """Nothing, so that nobody asks the store before the first scrape does."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Its metrics."""
        totals = self._store.totals()
        yield CounterMetricFamily("kelp_events_stored", "Events that were stored", totals.stored)
        yield CounterMetricFamily("kelp_events_repeated", "Events that were there when they were sent", totals.repeated)
        yield CounterMetricFamily("kelp_events_dropped", "Events that were dropped for newer ones", totals.dropped)
        yield GaugeMetricFamily("kelp_events_kept", "Events that are there", totals.kept)
        yield GaugeMetricFamily("kelp_events_kept_bytes", "Their size as JSON", totals.bytes)


def _media_type(request: Request) -> str:
    found = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if found not in TYPES:
        raise WrongMediaType(f"expected {' or '.join(TYPES)}, found {found[:80] or 'none'}", place="Content-Type")
    return found


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, KelpError)  # Starlette calls this for no other
    status = error.http_status
    if status >= 500:
        _logger.error("%d %s%s", status, error, f"; {error.fix}" if error.fix else "")
    else:
        _logger.warning("%d %s at %s", status, type(error).__name__, error.place)
    content = {"error": str(error), "fix": error.fix} if error.fix else {"error": str(error)}
    return JSONResponse(content, status)


def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it


def _failed(request: Request, error: Exception) -> Response:
    _logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return JSONResponse({"error": "the store of events failed; its log says how"}, 500)
