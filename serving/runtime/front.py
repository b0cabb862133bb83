# SPDX-License-Identifier: Apache-2.0
"""ASGI application: answers what is about a model itself, and hands the rest to KServe's application.

Why not KServe's own endpoints: many kinds of bad input end there in a status of 500 after which the kept-alive
connection is closed, and then the next, good requests of a proxy fail as well; it knows no version, and a model that
is not in memory is not there. Here every bad request is a 4xx that names the field, no exception reaches the HTTP
server, and a body is limited before it is parsed. KServe answers what is about the server: health and lists.
Most predictions do not come this far: `serving.runtime.hot` answers them.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from kelp.errors import Refused
from serving.runtime.ask import Ask, Outcome
from serving.runtime.control import Control
from serving.runtime.endpoint import (
    Endpoint,
    Fields,
    check_content,
    explained,
    no_endpoint,
    prediction_endpoint,
    read_fields,
)
from serving.runtime.plane import Plane, log_refusal
from serving.runtime.reply import Reply, refusal
from serving.runtime.threads import explaining

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

logger = logging.getLogger(__name__)


class _Gone(Exception):
    """The caller closed the connection before the request was complete."""


class Front:
    """The outermost application of the server process."""

    def __init__(self, app: App, plane: Plane, control: Control, *, is_local: bool = False) -> None:
        """Put the plane and the control before an application.

        `is_local` says that only this machine reaches the server. Then no web page is answered: every browser on the
        machine could carry a request of a stranger's page here, and browsers say so by the header Origin.
        """
        self._app = app
        self._is_local = is_local
        self._plane = plane
        self._control = control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; other scopes (lifespan) are KServe's."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        fields = dict(scope["headers"])
        if scope["method"] in ("GET", "HEAD"):
            reply = await self._looked_up(scope["path"], fields)
            if reply is None:
                await self._pass_on(scope, receive, send)
                return
        else:
            try:
                body = await _read(receive, self._plane.body_limit)
            except _Gone:
                logger.debug("the caller hung up")
                return
            reply = await self._answered(scope["method"], scope["path"], fields, body, started)
        await _send_reply(send, reply)

    async def _answered(
        self, method: str, path: str, fields: dict[bytes, bytes], body: bytes | None, started: float
    ) -> Reply:
        identity = self._plane.id_of(fields.get(b"x-request-id"))
        if self._is_local and b"origin" in fields:
            return refusal(Refused("a server on 127.0.0.1 answers no web page", place="Origin"), "", identity)
        endpoint = prediction_endpoint(path) if method == "POST" else None
        if endpoint is not None:
            ask = http_ask(endpoint, fields, body or b"", identity, started)
            outcome = self._plane.too_large(ask) if body is None else await self._plane.predict(ask)
            return reply_to(ask, outcome)
        try:
            if method == "POST" and (asked := explained(path)):
                return await self._explained(*asked, fields, body, identity)
            reply = await self._control.post(path, body or b"") if method == "POST" else None
            if reply is None:
                raise no_endpoint(method, path)
            return reply
        except Exception as error:
            return _refused(error, identity)

    async def _explained(
        self, name: str, version: str | None, fields: dict[bytes, bytes], body: bytes | None, identity: str
    ) -> Reply:
        """Explain scores, in a thread; not counted, for it takes longer than a prediction and is none."""
        check_content(fields)
        if body is None:
            raise self._plane.too_large_body()
        lease = await self._plane.lent(name, version)
        work = explaining(lease.loaded.explanations.answer, body)
        work.add_done_callback(lambda _: self._plane.models.give_back(lease))  # also if the caller is gone before
        return Reply(200, await asyncio.shield(work), lease.loaded.version, identity)

    async def _looked_up(self, path: str, fields: dict[bytes, bytes]) -> Reply | None:
        """What a GET that is about a model or the process is answered with; None for KServe's."""
        try:
            return await self._control.get(path, fields.get(b"accept", b"").decode("latin-1"))
        except Exception as error:
            return _refused(error, self._plane.id_of(fields.get(b"x-request-id")))

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let KServe answer; what it raises after its own reply of 500 must not close the connection."""
        has_started = False

        async def watched(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            reply = _refused(error, self._plane.id_of(None))
            if not has_started:
                await _send_reply(send, reply)


def http_ask(endpoint: Endpoint, fields: Fields, body: bytes, identity: str, started: float) -> Ask:
    """A request for a prediction; of its header only what reading it takes."""
    return Ask(endpoint, (read_fields(fields), body), len(body), identity, started)


def reply_to(ask: Ask, outcome: Outcome) -> Reply:
    """What became of a prediction request, as a response."""
    version = outcome.model.version if outcome.model is not None else ""
    if outcome.error is not None:
        return refusal(outcome.error, version, ask.id)
    body, json_length = outcome.written
    return Reply(200, body, version, ask.id, json_length)


def _refused(error: Exception, identity: str) -> Reply:
    """Log what is wrong with a request that asks for no prediction, and say it."""
    log_refusal(error, identity)
    return refusal(error, "", identity)


async def _read(receive: Receive, limit: int) -> bytes | None:
    """Read a body to its end; None if it has more than `limit` bytes, of which no more than that are kept."""
    chunks: list[bytes] = []
    size = 0
    has_more = True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        else:
            chunks.clear()
        has_more = message.get("more_body", False)
    return b"".join(chunks) if size <= limit else None


async def _send_reply(send: Send, reply: Reply) -> None:
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.fields()})
    await send({"type": "http.response.body", "body": reply.body})
