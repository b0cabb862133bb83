# SPDX-License-Identifier: Apache-2.0
"""The data plane: from a request for a prediction, in any protocol, to its answer, counted and logged.

`serving.runtime.front` asks it for every request that reaches the ASGI application, `serving.runtime.hot` for those
that are answered before one is built, `serving.runtime.grpc` for gRPC. No exception leaves it: what fails is an
outcome as well.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple, TypeVar

from kelp.errors import KelpError, TooLarge
from kelp.log import context
from serving.lease import Lease
from serving.runtime.answer import Answer, answer
from serving.runtime.endpoint import Endpoint
from serving.runtime.log import PredictionLog
from serving.runtime.metrics import Metrics
from serving.runtime.model import ServedModel
from serving.runtime.models import Models
from serving.runtime.record import Record

OFF_LOOP_BYTES = 256 * 1024
"""Larger bodies are parsed in a thread."""

_LONGEST_ID = 200  # characters of a caller's request id that are kept

Found = TypeVar("Found")

logger = logging.getLogger(__name__)


class Ask(NamedTuple):
    """A request for a prediction: what `endpoint.read` makes it of, and how many bytes that takes.

    `started` is when its header was complete, of `time.perf_counter`.
    """

    endpoint: Endpoint
    source: tuple[Any, ...]
    size: int
    id: str
    started: float


class Outcome(NamedTuple):
    """What became of it: `written` by its endpoint, or the error; the model is None if it was not found."""

    model: ServedModel | None
    written: Any = None
    error: Exception | None = None


class Plane:
    """Answers requests for predictions by the models of one process. What it returns has been counted and logged."""

    def __init__(self, models: Models, metrics: Metrics, *, body_limit: int, log: PredictionLog | None = None) -> None:
        self.models = models
        self.body_limit = body_limit
        self._metrics = metrics
        self._log = log
        self._prefix = secrets.token_hex(6)
        self._numbers = count(1)

    def id_of(self, caller: bytes | None) -> str:
        """Name a request: as its caller did in x-request-id, or else by a new id."""
        if caller:
            return caller[:_LONGEST_ID].decode("latin-1")
        return f"{self._prefix}-{next(self._numbers)}"

    def predict_now(self, ask: Ask) -> Outcome | None:
        """Answer at once; None, and nothing has happened, if a thread should: then ask `predict`."""
        lease = self.models.lend(ask.endpoint.name, ask.endpoint.version)
        if lease is None:
            return None
        model = lease.loaded
        try:
            request = ask.endpoint.read(*ask.source)
            if model.is_for_a_thread(request.row_count):
                return None
            found = answer(model.online, request)
            written = ask.endpoint.write(request, found, model)
        except Exception as error:
            return self._refused(ask, model, error)
        finally:
            self.models.give_back(lease)
        return self._answered(ask, model, found, written)

    async def predict(self, ask: Ask) -> Outcome:
        """Answer, in threads where it takes long."""
        model: ServedModel | None = None
        try:
            lease = await self.lent(ask.endpoint.name, ask.endpoint.version)
            model = lease.loaded
            try:
                request = await _off_loop(ask.size > OFF_LOOP_BYTES, ask.endpoint.read, *ask.source)
                found = await _off_loop(model.is_for_a_thread(request.row_count), answer, model.online, request)
                written = ask.endpoint.write(request, found, model)
            finally:
                self.models.give_back(lease)
        except Exception as error:
            return self._refused(ask, model, error)
        return self._answered(ask, model, found, written)

    def too_large(self, ask: Ask) -> Outcome:
        """Refuse a request whose body is over the limit and was not kept."""
        error = TooLarge(
            f"expected at most {self.body_limit} bytes, found more",
            place="body",
            fix="send the rows in several requests",
        )
        return self._refused(ask, None, error)

    async def lent(self, name: str, version: str | None) -> Lease[ServedModel]:
        """Lend a model, loaded in a thread if need be; raises as `Models.lend_loaded`."""
        lease = self.models.lend(name, version)
        return lease if lease is not None else await asyncio.to_thread(self.models.lend_loaded, name, version)

    def _answered(self, ask: Ask, model: ServedModel, found: Answer, written: Any) -> Outcome:
        seconds = time.perf_counter() - ask.started
        model.metrics.count(200, seconds, found.scores)
        if self._log is not None:
            self._log.put(Record(model, ask.endpoint.read, ask.source, found, ask.id, time.time(), seconds, ask.size))
        return Outcome(model, written)

    def _refused(self, ask: Ask, model: ServedModel | None, error: Exception) -> Outcome:
        metrics = model.metrics if model is not None else self._metrics.unknown
        metrics.count(status_of(error), time.perf_counter() - ask.started, ())
        log_refusal(error, ask.id, model)
        return Outcome(model, None, error)


async def _off_loop(is_long: bool, call: Callable[..., Found], *arguments: Any) -> Found:
    return await asyncio.to_thread(call, *arguments) if is_long else call(*arguments)


def status_of(error: Exception) -> int:
    """The HTTP status that says what was wrong."""
    return error.http_status if isinstance(error, KelpError) else 500


def log_refusal(error: Exception, request_id: str, model: ServedModel | None = None) -> None:
    """Write one line, without the message of what a caller did wrong: that may quote personal data."""
    of_model = {"model": model.name, "version": model.version} if model is not None else {}
    with context(request_id=request_id, **of_model):
        if not isinstance(error, KelpError):
            logger.error("a request failed", exc_info=error)
        elif error.http_status >= 500:
            logger.error("%d %s", error.http_status, error)
        else:
            logger.info("%d %s at %s", error.http_status, type(error).__name__, error.place or "the path")
