# SPDX-License-Identifier: Apache-2.0
"""The data plane: from a prediction request's header fields and body to a reply, counted.

`serving.runtime.front` asks it for every request that reaches the ASGI application, `serving.runtime.hot` for those
that are answered before one is built. No exception leaves it: what fails is a reply of 4xx or 500.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from kelp.errors import KelpError, TooLarge
from kelp.log import context
from serving.runtime.answer import Answer, Request, answer
from serving.runtime.endpoint import JSON_LENGTH, Endpoint, Fields, explained, find_endpoint, hot_paths
from serving.runtime.log import PredictionLog
from serving.runtime.model import ServedModel
from serving.runtime.record import Record

OFF_LOOP_BYTES = 256 * 1024
"""Larger bodies are parsed in a thread."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response; `json_length` is not None if bytes of tensors follow that much JSON."""

    status: int
    body: bytes
    model: ServedModel | None = None
    json_length: int | None = None

    def fields(self) -> list[tuple[bytes, bytes]]:
        """The header fields, without those that every response has."""
        kind = b"application/json" if self.json_length is None else b"application/octet-stream"
        fields = [(b"content-type", kind), (b"content-length", b"%d" % len(self.body))]
        if self.model is not None:
            fields.append((b"x-model-version", self.model.version.encode()))
        if self.json_length is not None:
            fields.append((JSON_LENGTH, b"%d" % self.json_length))
        return fields

    def head(self) -> bytes:
        """The same fields as lines."""
        if self.json_length is not None or self.model is None:
            return header_lines(self.fields())
        return b"content-type: application/json\r\nx-model-version: %b\r\ncontent-length: %d\r\n" % (
            self.model.version.encode(),
            len(self.body),
        )


class Plane:
    """Answers prediction requests for the models of one process."""

    def __init__(self, models: Mapping[str, ServedModel], *, body_limit: int, log: PredictionLog | None = None) -> None:
        self.models = models
        self.body_limit = body_limit
        self.hot_paths = hot_paths(models)
        self._log = log
        self._usual: tuple[object, bytes] = (None, b"")

    def usual_fields(self, fields: list[tuple[bytes, bytes]]) -> bytes:
        """The lines of what uvicorn sends with every response, which it replaces every second."""
        if self._usual[0] is not fields:
            self._usual = (fields, header_lines(fields))
        return self._usual[1]

    async def answer(self, method: str, path: str, fields: Fields, body: bytes | None, started: float) -> Reply:
        """Answer one request.

        Args:
            method: of the request.
            path: decoded.
            fields: the header.
            body: None if it has more bytes than the limit.
            started: when the header was complete, of `time.perf_counter`.
        """
        endpoint = None
        if method == "POST" and path.endswith(":explain"):
            return await self._explain(path, fields, body)
        try:
            endpoint = find_endpoint(self.models, method, path)
            body = self._within_limit(body)
            request = await _off_loop_if_large(body, endpoint.read, fields, body)
            found = await endpoint.model.predict(request)
            reply = _answered(endpoint, request, found)
        except Exception as error:
            return _refused(endpoint.model if endpoint else None, error, started)
        self._keep(Record(endpoint, fields, body, found, time.time(), time.perf_counter() - started))
        return reply

    async def _explain(self, path: str, fields: Fields, body: bytes | None) -> Reply:
        """Explain scores, in a thread; not counted, for it takes longer than a prediction and is none."""
        model = None
        try:
            model = explained(self.models, fields, path)
            return Reply(200, await asyncio.to_thread(model.explanations.answer, self._within_limit(body)), model)
        except Exception as error:
            return _refused(model, error)

    def _within_limit(self, body: bytes | None) -> bytes:
        if body is None:
            raise TooLarge(
                f"expected at most {self.body_limit} bytes, found more",
                place="body",
                fix="send the rows in several requests",
            )
        return body

    def answer_now(self, endpoint: Endpoint, fields: Fields, body: bytes, started: float) -> Reply | None:
        """Answer a request at once; None, and nothing has happened, if a thread should: then `answer` does."""
        model = endpoint.model
        try:
            request = endpoint.read(fields, body)
            if model.is_for_a_thread(request):
                return None
            found = answer(model.online, request)
            reply = _answered(endpoint, request, found)
        except Exception as error:
            return _refused(model, error, started)
        self._keep(Record(endpoint, fields, body, found, time.time(), time.perf_counter() - started))
        return reply

    def _keep(self, record: Record) -> None:
        record.endpoint.model.metrics.count(200, record.seconds, record.answer.scores)
        if self._log is not None:
            self._log.put(record)


def header_lines(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Header fields as they are sent."""
    return b"".join(b"%b: %b\r\n" % field for field in fields)


def error_body(message: str, fix: str = "") -> bytes:
    """The body of a reply that is not 200."""
    return orjson.dumps({"error": message, "fix": fix} if fix else {"error": message})


FAILED = error_body("the server failed; its log says how")


def _answered(endpoint: Endpoint, request: Request, found: Answer) -> Reply:
    body, json_length = endpoint.write(request, found, endpoint.model)
    return Reply(200, body, endpoint.model, json_length)


async def _off_loop_if_large(body: bytes, read: Callable[..., Any], *arguments: Any) -> Any:
    if len(body) > OFF_LOOP_BYTES:
        return await asyncio.to_thread(read, *arguments)
    return read(*arguments)


def _refused(model: ServedModel | None, error: Exception, started: float | None = None) -> Reply:
    """The reply, and one line in the log without the message, which may quote personal data.

    It is counted if it `started` as a prediction.
    """
    status = error.http_status if isinstance(error, KelpError) else 500
    if model is not None and started is not None:
        model.metrics.count(status, time.perf_counter() - started, ())
    with context(**({"model": model.name, "version": model.version} if model is not None else {})):
        if not isinstance(error, KelpError):
            logger.error("a prediction failed", exc_info=error)
            return Reply(500, FAILED, model)
        if status >= 500:
            logger.error("%d %s", status, error)
        else:
            logger.info("%d %s at %s", status, type(error).__name__, error.place or "the path")
    return Reply(status, error_body(str(error), error.fix), model)
