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
from itertools import count
from typing import Any

from kelp.errors import KelpError, TooLarge
from kelp.log import context
from serving.lease import Lease
from serving.runtime.answer import Answer, Request, answer
from serving.runtime.ask import Ask, Outcome
from serving.runtime.log import PredictionLog
from serving.runtime.metrics import Metrics
from serving.runtime.model import ServedModel
from serving.runtime.models import Models
from serving.runtime.record import record_of
from serving.runtime.threads import ended, loading, scoring

OFF_LOOP_BYTES = 256 * 1024
"""Larger requests are parsed and answered in a thread."""

_LONGEST_ID = 200  # characters of a caller's request id that are kept
_LONGEST_PLACE = 200  # and of a place that a refusal names, in the log

logger = logging.getLogger(__name__)


class Plane:
    """Answers requests for predictions by the models of one process. What it returns has been counted and logged."""

    def __init__(self, models: Models, metrics: Metrics, *, body_limit: int, log: PredictionLog | None = None) -> None:
        self.models = models
        self.body_limit = body_limit
        self._metrics = metrics
        self._log = log
        self._loading: dict[str, asyncio.Future[Lease[ServedModel]]] = {}
        self._prefix = secrets.token_hex(6)
        self._numbers = count(1)

    def id_of(self, caller: bytes | None) -> str:
        """Name a request: as its caller did in x-request-id, or else by a new id."""
        if caller:
            return caller[:_LONGEST_ID].decode("latin-1")
        return f"{self._prefix}-{next(self._numbers)}"

    def predict_now(self, ask: Ask) -> Outcome | None:
        """Answer at once; None, and nothing has happened, if a thread should: then ask `predict`."""
        lease = self.models.lend(ask.endpoint.name, ask.endpoint.version) if ask.size <= OFF_LOOP_BYTES else None
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
                if ask.size > OFF_LOOP_BYTES:
                    request, found = await ended(scoring(_read_and_answer, ask, model))
                else:
                    request = ask.endpoint.read(*ask.source)
                    is_long = model.is_for_a_thread(request.row_count)
                    work = scoring(answer, model.online, request) if is_long else None
                    found = await ended(work) if work is not None else answer(model.online, request)
                written = ask.endpoint.write(request, found, model)
            finally:
                self.models.give_back(lease)
        except Exception as error:
            return self._refused(ask, model, error)
        return self._answered(ask, model, found, written)

    def too_large(self, ask: Ask) -> Outcome:
        """Refuse a request whose body is over the limit and was not kept."""
        return self._refused(ask, None, self.too_large_body())

    def too_large_body(self) -> TooLarge:
        """The error of a body over the limit, whatever it asks."""
        return TooLarge(
            f"expected at most {self.body_limit} bytes, found more",
            place="body",
            fix="send the rows in several requests",
        )

    async def lent(self, name: str, version: str | None) -> Lease[ServedModel]:
        """Lend a model, loaded in a thread if need be: one thread, however many ask; raises as `Models.lend_loaded`."""
        lease = self.models.lend(name, version)
        if lease is None and name in self._loading:
            await asyncio.wait((self._loading[name],))
            lease = self.models.lend(name, version)
        return lease if lease is not None else await self._loaded(name, version)

    async def _loaded(self, name: str, version: str | None) -> Lease[ServedModel]:
        work = self._loading[name] = loading(self.models.lend_loaded, name, version)
        try:
            return await ended(work)
        except asyncio.CancelledError:
            if work.exception() is None:
                self.models.give_back(work.result())
            raise
        finally:
            if self._loading.get(name) is work:
                del self._loading[name]

    def _answered(self, ask: Ask, model: ServedModel, found: Answer, written: Any) -> Outcome:
        seconds = time.perf_counter() - ask.started
        model.metrics.count(200, seconds, found.scores)
        if self._log is not None:
            self._log.put(record_of(ask, model, found, seconds))
        return Outcome(model, written)

    def _refused(self, ask: Ask, model: ServedModel | None, error: Exception) -> Outcome:
        metrics = model.metrics if model is not None else self._metrics.unknown
        metrics.count(status_of(error), time.perf_counter() - ask.started, ())
        log_refusal(error, ask.id, model)
        return Outcome(model, None, error)


def _read_and_answer(ask: Ask, model: ServedModel) -> tuple[Request, Answer]:
    request = ask.endpoint.read(*ask.source)
    return request, answer(model.online, request)


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
            logger.info("%d %s at %s", error.http_status, type(error).__name__, _printable(error.place) or "the path")


def _printable(text: str) -> str:
    """A caller's text as it may stand in a log: short, on one line, and without what a terminal obeys."""
    return "".join(character if character.isprintable() else "?" for character in text[:_LONGEST_PLACE])
