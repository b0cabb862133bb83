# SPDX-License-Identifier: Apache-2.0
"""ASGI application: answers the prediction endpoints itself and hands every GET to KServe's application, but one.

Why not KServe's own prediction endpoints: many kinds of bad input end there in a status of 500 after which the
kept-alive connection is closed, and then the next, good requests of a proxy fail as well. Here every bad request is
a 4xx that names the field, no exception reaches the HTTP server, and a body is limited before it is parsed.
The one GET is the metadata of a model with a history, for which KServe's answer has no place.
KServe's other POST endpoints (explain, load and unload) are not offered: the models are fixed when the server starts.
"""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import orjson

from kelp.errors import KelpError, NotFound, RequestError, TooLarge
from kelp.log import context
from serving.runtime.metrics import RequestMetrics
from serving.runtime.model import ServedModel
from serving.runtime.v1 import parse_v1, write_v1
from serving.runtime.v2 import parse_v2, write_v2

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = dict[str, str]

_V1 = re.compile(r"/v1/models/([^/]+):predict")
_V2 = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?/infer")
_METADATA = re.compile(r"/v2/models/([^/]+)")
_PARSE_OFF_LOOP_BYTES = 256 * 1024
_JSON_LENGTH = "inference-header-content-length"

logger = logging.getLogger(__name__)


class _Gone(Exception):
    """The caller closed the connection before the request was complete."""


class Front:
    """The outermost application of the server process."""

    def __init__(
        self, app: App, models: Mapping[str, ServedModel], *, body_limit: int, metrics: RequestMetrics
    ) -> None:
        self._app = app
        self._models = models
        self._body_limit = body_limit
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; other scopes (lifespan) are KServe's."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] in ("GET", "HEAD"):
            model = self._asked_about(scope["path"])
            if model is not None:
                await _reply(send, 200, {}, orjson.dumps(model.metadata()))
            else:
                await self._pass_on(scope, receive, send)
        else:
            try:
                status, headers, body = await self._predict(scope, receive)
                await _reply(send, status, headers, body)
            except _Gone:
                logger.debug("the caller hung up")

    def _asked_about(self, path: str) -> ServedModel | None:
        """The model whose metadata is asked for, if it has a history, of which KServe's answer would say nothing."""
        match = _METADATA.fullmatch(path)
        model = self._models.get(match[1]) if match else None
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
                await _reply(send, 500, {}, _error_body("the server failed; its log says how"))

    async def _predict(self, scope: Scope, receive: Receive) -> tuple[int, Headers, bytes]:
        start = time.perf_counter()
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        body = await _read(receive, self._body_limit)
        model: ServedModel | None = None
        reply: Headers = {}
        try:
            model, write = self._route(scope)
            reply = {"x-model-version": model.version}
            if body is None:
                raise TooLarge(
                    f"expected at most {self._body_limit} bytes, found more",
                    place="body",
                    fix="send the rows in several requests",
                )
            content, more = await write(model, headers, body)
            status, reply = 200, {**reply, **more}
        except KelpError as error:
            status, content = error.http_status, _error_body(str(error), error.fix)
            _log_refusal(model, status, error)
        except Exception:
            status, content = 500, _error_body("the server failed; its log says how")
            logger.exception("a prediction failed")
        if model is not None:
            self._metrics.count(model.name, model.version, status, time.perf_counter() - start)
        return status, reply, content

    def _route(self, scope: Scope) -> tuple[ServedModel, "Write"]:
        path: str = scope["path"]
        if scope["method"] == "POST":
            if match := _V1.fullmatch(path):
                return self._model(match[1], None), _answer_v1
            if match := _V2.fullmatch(path):
                return self._model(match[1], match[2]), _answer_v2
        raise NotFound(
            f"no such endpoint: {scope['method']} {path[:200]}",
            fix="predictions are at POST /v1/models/NAME:predict and POST /v2/models/NAME/infer",
        )

    def _model(self, name: str, version: str | None) -> ServedModel:
        model = self._models.get(name)
        if model is None:
            raise NotFound(f"no model is called {name[:80]}", fix=f"served here: {', '.join(sorted(self._models))}")
        if version is not None and version != model.version:
            raise NotFound(f"version {version[:20]} is not served here", fix=f"served here: {name} {model.version}")
        return model


Write = Callable[[ServedModel, Headers, bytes], Awaitable[tuple[bytes, Headers]]]
"""Answer a body in one protocol: the reply's body and headers."""


async def _answer_v1(model: ServedModel, headers: Headers, body: bytes) -> tuple[bytes, Headers]:
    _check_encoding(headers)
    request = await _off_loop_if_large(body, parse_v1, body)
    answer = await model.predict(request)
    return write_v1(answer), {}


async def _answer_v2(model: ServedModel, headers: Headers, body: bytes) -> tuple[bytes, Headers]:
    _check_encoding(headers)
    request = await _off_loop_if_large(body, parse_v2, body, _json_length(headers))
    answer = await model.predict(request)
    content, json_length = write_v2(request, answer, model=model.name, version=model.version)
    if json_length is None:
        return content, {}
    return content, {_JSON_LENGTH: str(json_length), "content-type": "application/octet-stream"}


async def _off_loop_if_large(body: bytes, parse: Callable[..., Any], *arguments: Any) -> Any:
    if len(body) > _PARSE_OFF_LOOP_BYTES:
        return await asyncio.to_thread(parse, *arguments)
    return parse(*arguments)


def _check_encoding(headers: Headers) -> None:
    encoding = headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise RequestError(f"expected no compression, found {encoding[:40]}", place="Content-Encoding")


def _json_length(headers: Headers) -> int | None:
    text = headers.get(_JSON_LENGTH)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise RequestError(f"expected a whole number, found {text[:40]!r}", place="Inference-Header-Content-Length")
    return int(text)


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


async def _reply(send: Send, status: int, headers: Headers, body: bytes) -> None:
    fields = {"content-type": "application/json", **headers, "content-length": str(len(body))}
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _error_body(message: str, fix: str = "") -> bytes:
    return orjson.dumps({"error": message, "fix": fix} if fix else {"error": message})


def _log_refusal(model: ServedModel | None, status: int, error: KelpError) -> None:
    """One line without the message, which may quote personal data from the request."""
    names = {"model": model.name, "version": model.version} if model is not None else {}
    with context(**names):
        if status >= 500:
            logger.error("%d %s", status, error)
        else:
            logger.info("%d %s at %s", status, type(error).__name__, error.place or "the path")
