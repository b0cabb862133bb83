# SPDX-License-Identifier: Apache-2.0
"""`AuditLog` over HTTP: the audit service's client.

A request that got no answer is sent again under the same key, so that it counts once. The errors are those of a
local log.
"""

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from kelp.audit import wire
from kelp.audit.log import AliasMove, ConsistencyProof, Entry, Event, InclusionProof, check_model, check_page
from kelp.audit.note import parse_checkpoint
from kelp.audit.record import Detail, canonical, validated
from kelp.errors import EnvironmentFault, InputError, KelpError

TIMEOUT_S = 40.0  # longer than the service waits for its database
RETRIES_AFTER_S = (0.2, 1.0, 3.0)
_WORTH_RETRYING = frozenset({429, 502, 503, 504})
_Answer = TypeVar("_Answer", bound=BaseModel)


def new_key() -> str:
    """Return an idempotency key nobody used."""
    return uuid.uuid4().hex


class HttpLog:
    """The log behind an audit service; the service knows the actor by the token."""

    def __init__(
        self,
        address: str,
        token: str,
        *,
        transport: httpx.BaseTransport | None = None,
        make_key: Callable[[], str] = new_key,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare a client; nothing is sent yet.

        Args:
            address: where the service answers, such as http://kelp-audit:8080.
            token: this identity's bearer token, ASCII.
            transport: carries the requests; None for the network.
            make_key: gives the idempotency key of a request that was given none.
            pause: waits the given seconds before a retry.

        Raises:
            InputError: the token cannot be sent in a header.
        """
        if not token or not token.isascii() or not token.isprintable():
            raise InputError("a token of printable ASCII characters was expected", place="audit.token")
        self._address = address.rstrip("/")
        self._make_key = make_key
        self._pause = pause
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(headers=headers, timeout=TIMEOUT_S, transport=transport, trust_env=False)

    def append(self, action: str, subject: str, detail: Detail | None = None, *, key: str | None = None) -> Entry:
        """Add one durable record; see `AuditLog.append`."""
        values = {
            "action": action,
            "subject": subject,
            "detail": {} if detail is None else detail,
            "key": self._make_key() if key is None else key,
        }
        return self._post("/v1/records", validated(Event, values))

    def move_alias(
        self,
        model: str,
        alias: str,
        *,
        expected: int | None,
        version: int | None,
        detail: Detail | None = None,
        key: str | None = None,
    ) -> Entry:
        """Compare and set one alias; see `AuditLog.move_alias`."""
        values = {
            "expected": expected,
            "version": version,
            "detail": {} if detail is None else detail,
            "key": self._make_key() if key is None else key,
        }
        validated(AliasMove, {"model": model, "alias": alias, **values}).event()
        return self._post(f"/v1/aliases/{model}/{alias}", validated(wire.MoveBody, values))

    def aliases(self, model: str) -> dict[str, int]:
        """Return where the aliases of `model` stand."""
        check_model(model)
        return self._get(f"/v1/aliases/{model}", wire.AliasesMessage).aliases

    def entries(self, start: int = 0, limit: int = 100) -> Sequence[Entry]:
        """Return a page of entries; see `AuditLog.entries`."""
        check_page(start, limit)
        page = self._get("/v1/records", wire.RecordsMessage, {"start": start, "limit": limit})
        return [Entry(record) for record in page.records]

    def size(self) -> int:
        """Return the number of records, as the latest checkpoint says."""
        return parse_checkpoint(self.checkpoint()).size

    def checkpoint(self) -> str:
        """Return the latest signed checkpoint."""
        return self._send("GET", "/v1/checkpoint").text

    def vkey(self) -> str:
        """Return the public key the service names; trust it only as far as the service."""
        return self._send("GET", "/v1/vkey").text.strip()

    def prove_inclusion(self, seq: int) -> InclusionProof:
        """Prove that record `seq` is in the log; see `AuditLog.prove_inclusion`."""
        return self._get(f"/v1/proofs/inclusion/{seq}", wire.InclusionMessage).proof()

    def prove_consistency(self, old_size: int) -> ConsistencyProof:
        """Prove that the log only grew since `old_size`; see `AuditLog.prove_consistency`."""
        return self._get("/v1/proofs/consistency", wire.ConsistencyMessage, {"from": old_size}).proof()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _post(self, path: str, body: BaseModel) -> Entry:
        content = canonical(body.model_dump())  # refuses what the log would, such as NaN
        return self._parsed(self._send("POST", path, content=content), wire.EntryMessage).entry()

    def _get(self, path: str, kind: type[_Answer], query: Mapping[str, int] | None = None) -> _Answer:
        return self._parsed(self._send("GET", path, query=query), kind)

    def _parsed(self, response: httpx.Response, kind: type[_Answer]) -> _Answer:
        try:
            return kind.model_validate_json(response.content)
        except ValidationError as error:
            raise self._fault(f"its answer is not an audit service's: {error.errors()[0]['msg']}") from error

    def _send(
        self, method: str, path: str, *, content: bytes | None = None, query: Mapping[str, int] | None = None
    ) -> httpx.Response:
        """Send until there is an answer worth having, at most four times."""
        for pause_s in (*RETRIES_AFTER_S, None):
            try:
                response = self._http.request(method, f"{self._address}{quote(path)}", content=content, params=query)
            except (httpx.TransportError, httpx.InvalidURL) as error:
                fault: KelpError = self._fault(f"no answer ({error or type(error).__name__})")
                fault.__cause__ = error
            else:
                if response.is_success:
                    return response
                fault = self._refusal(response)
                if response.status_code not in _WORTH_RETRYING:
                    raise fault
            if pause_s is not None:
                self._pause(pause_s)
        raise fault

    def _refusal(self, response: httpx.Response) -> KelpError:
        try:
            return wire.ErrorMessage.model_validate_json(response.content).exception()
        except ValidationError:
            return self._fault(f"status {response.status_code}, not an audit service's answer")

    def _fault(self, message: str) -> EnvironmentFault:
        return EnvironmentFault(
            f"the audit service: {message}",
            place=self._address,
            fix="check that it runs and that `audit` in home.toml is its address",
        )
