# SPDX-License-Identifier: Apache-2.0
"""The audit service: one ledger behind HTTP, each caller under its own identity.

The actor of a record is the one the caller's token stands for, never what a body says. There is no way to change,
remove or sign anything from outside: the key stays in this process. docs/audit-log.md lists the endpoints.
"""

import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from kelp.audit import wire
from kelp.audit.identity import Identities, Right
from kelp.audit.ledger import Ledger
from kelp.audit.log import Event
from kelp.audit.record import MAX_RECORD_BYTES, validated
from kelp.audit.sqlite import LocalLog
from kelp.errors import InputError, KelpError, TooLarge

MAX_BODY_BYTES = 4 * MAX_RECORD_BYTES  # JSON may be longer than its canonical form
_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_logger = logging.getLogger(__name__)


def create_app(ledger: Ledger, identities: Identities) -> Starlette:
    """Return the service; it closes the ledger when it stops."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        ledger.close()

    service = _Service(ledger, identities)
    return Starlette(
        routes=[
            Route("/v1/records", service.append, methods=["POST"]),
            Route("/v1/records", service.records, methods=["GET"]),
            Route("/v1/aliases/{model}/{alias}", service.move, methods=["POST"]),
            Route("/v1/aliases/{model}", service.aliases, methods=["GET"]),
            Route("/v1/checkpoint", service.checkpoint, methods=["GET"]),
            Route("/v1/vkey", service.vkey, methods=["GET"]),
            Route("/v1/proofs/inclusion/{seq}", service.inclusion, methods=["GET"]),
            Route("/v1/proofs/consistency", service.consistency, methods=["GET"]),
            Route("/healthz", service.health, methods=["GET"]),
            Route("/metrics", service.metrics, methods=["GET"]),
        ],
        exception_handlers={
            KelpError: _kelp_error,
            HTTPException: _http_error,
            ClientDisconnect: _disconnected,
            Exception: _unexpected,
        },
        lifespan=lifespan,
    )


class _Service:
    def __init__(self, ledger: Ledger, identities: Identities) -> None:
        self._ledger = ledger
        self._identities = identities

    async def append(self, request: Request) -> Response:
        log = self._log_of(request, "append")
        event = validated(Event, await _json(request))
        (entry,) = await run_in_threadpool(log.append_many, [event])
        return _answer(wire.EntryMessage(record=entry.record, checkpoint=entry.checkpoint), 201)

    async def move(self, request: Request) -> Response:
        log = self._log_of(request, "move")
        move = validated(wire.MoveBody, await _json(request))
        entry = await run_in_threadpool(
            log.move_alias, request.path_params["model"], request.path_params["alias"], **dict(move)
        )
        return _answer(wire.EntryMessage(record=entry.record, checkpoint=entry.checkpoint), 201)

    async def records(self, request: Request) -> Response:
        log = self._log_of(request)
        start, limit = _integer(request, "start", "0"), _integer(request, "limit", "100")
        entries = await run_in_threadpool(log.entries, start, limit)
        return _answer(wire.RecordsMessage(records=[entry.record for entry in entries]))

    async def aliases(self, request: Request) -> Response:
        log = self._log_of(request)
        return _answer(wire.AliasesMessage(aliases=await run_in_threadpool(log.aliases, request.path_params["model"])))

    async def checkpoint(self, request: Request) -> Response:
        return PlainTextResponse(await run_in_threadpool(self._log_of(request).checkpoint))

    async def vkey(self, request: Request) -> Response:
        return PlainTextResponse(f"{self._log_of(request).vkey()}\n")

    async def inclusion(self, request: Request) -> Response:
        log = self._log_of(request)
        proof = await run_in_threadpool(log.prove_inclusion, _to_integer("seq", request.path_params["seq"]))
        return _answer(wire.InclusionMessage(seq=proof.seq, hashes=list(proof.hashes), checkpoint=proof.checkpoint))

    async def consistency(self, request: Request) -> Response:
        log = self._log_of(request)
        proof = await run_in_threadpool(log.prove_consistency, _integer(request, "from", ""))
        message = {"from": proof.old_size, "hashes": list(proof.hashes), "checkpoint": proof.checkpoint}
        return _answer(wire.ConsistencyMessage.model_validate(message))

    async def health(self, request: Request) -> Response:
        await run_in_threadpool(LocalLog(self._ledger, "health").size)
        return PlainTextResponse("ok\n")

    async def metrics(self, request: Request) -> Response:
        size = await run_in_threadpool(LocalLog(self._ledger, "metrics").size)
        text = (
            "# HELP kelp_audit_records_total Records in the audit log.\n"
            f"# TYPE kelp_audit_records_total counter\nkelp_audit_records_total {size}\n"
        )
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    def _log_of(self, request: Request, right: Right | None = None) -> LocalLog:
        """Return the log as the caller's own; any known identity may read."""
        identity = self._identities.find(request.headers.get("authorization", ""))
        if right is not None:
            identity.require(right)
        return LocalLog(self._ledger, identity.actor)


async def _json(request: Request) -> object:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(
                f"a body of at most {MAX_BODY_BYTES} bytes was expected",
                place="body",
                fix="store the content elsewhere and log its digest",
            )
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError(f"JSON was expected ({str(error)[:200]})", place="body") from error
    return value


def _integer(request: Request, name: str, default: str) -> int:
    return _to_integer(name, request.query_params.get(name, default))


def _to_integer(name: str, text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise InputError(f"an integer was expected, found {text[:40]!r}", place=name)
    return int(text)


def _answer(message: BaseModel, status: int = 200) -> Response:
    return Response(message.model_dump_json(by_alias=True), status, media_type="application/json")


def _kelp_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, KelpError)  # Starlette calls this for no other
    status = 422 if error.http_status == InputError.http_status else error.http_status
    if status >= 500:
        _logger.error("%s %s: %s", request.method, request.url.path, error)
    response = _answer(wire.error_to_message(error), status)
    if status == 401:
        response.headers["www-authenticate"] = "Bearer"
    return response


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # Starlette calls this for no other
    kind = "NotFound" if error.status_code == 404 else "InputError"
    message = wire.ErrorMessage(
        error=kind,
        message=f"{error.detail}: {request.method} {request.url.path[:200]}",
        fix="see docs/audit-log.md for the endpoints",
    )
    response = _answer(message, error.status_code)
    response.headers.update(error.headers or {})
    return response


def _disconnected(request: Request, error: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it


def _unexpected(request: Request, error: Exception) -> Response:
    _logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    message = wire.ErrorMessage(error="EnvironmentFault", message="the audit service failed", fix="see its log")
    return _answer(message, 500)
