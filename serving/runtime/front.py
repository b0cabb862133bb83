# SPDX-License-Identifier: Apache-2.0
"""ASGI application: answers the prediction endpoints itself and hands every GET to KServe's application, but one.

Why not KServe's own prediction endpoints: many kinds of bad input end there in a status of 500 after which the
kept-alive connection is closed, and then the next, good requests of a proxy fail as well. Here every bad request is
a 4xx that names the field, no exception reaches the HTTP server, and a body is limited before it is parsed.
The one GET is the metadata of a model with a history, for which KServe's answer has no place.
KServe's other POST endpoints (load and unload) are not offered: the models are fixed when the server starts.
Most predictions do not come this far: `serving.runtime.hot` answers them.
"""

import logging
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from serving.runtime.model import ServedModel
from serving.runtime.plane import FAILED, Plane, Reply

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_METADATA = re.compile(r"/v2/models/([^/]+)")

logger = logging.getLogger(__name__)


class _Gone(Exception):
    """The caller closed the connection before the request was complete."""


class Front:
    """The outermost application of the server process."""

    def __init__(self, app: App, plane: Plane) -> None:
        self._app = app
        self._plane = plane

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; other scopes (lifespan) are KServe's."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] in ("GET", "HEAD"):
            model = self._asked_about(scope["path"])
            if model is not None:
                await _send_reply(send, Reply(200, orjson.dumps(model.metadata())))
            else:
                await self._pass_on(scope, receive, send)
        else:
            await self._predict(scope, receive, send)

    def _asked_about(self, path: str) -> ServedModel | None:
        """The model whose metadata is asked for, if it has a history, of which KServe's answer would say nothing."""
        match = _METADATA.fullmatch(path)
        model = self._plane.models.get(match[1]) if match else None
        return model if model is not None and model.online.history is not None else None

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let KServe answer; what it raises after its own reply of 500 must not close the connection."""
        has_started = False

        async def watched(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            logger.exception("GET %s failed", scope["path"])
            if not has_started:
                await _send_reply(send, Reply(500, FAILED))

    async def _predict(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        try:
            body = await _read(receive, self._plane.body_limit)
        except _Gone:
            logger.debug("the caller hung up")
            return
        fields = dict(scope["headers"])
        await _send_reply(send, await self._plane.answer(scope["method"], scope["path"], fields, body, started))


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
