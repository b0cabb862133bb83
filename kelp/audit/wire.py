# SPDX-License-Identifier: Apache-2.0
"""The JSON that the audit service and its client exchange, one frozen model each; also the errors' JSON."""

import base64
import binascii
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from kelp.audit.log import ConsistencyProof, Entry, InclusionProof, Key, Version
from kelp.audit.record import Detail, Record
from kelp.errors import (
    Conflict,
    EnvironmentFault,
    InputError,
    IntegrityError,
    KelpError,
    NotFound,
    Refused,
    TooLarge,
)

_KINDS: dict[str, type[KelpError]] = {
    kind.__name__: kind
    for kind in (Conflict, EnvironmentFault, InputError, IntegrityError, NotFound, Refused, TooLarge)
}


def _hash_from_text(value: object) -> object:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else value
    except (binascii.Error, ValueError) as error:
        raise ValueError("base64 was expected") from error


Hash = Annotated[
    bytes,
    Field(min_length=32, max_length=32),
    BeforeValidator(_hash_from_text),
    PlainSerializer(lambda value: base64.b64encode(value).decode(), return_type=str),
]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class MoveBody(_Message):
    """POST /v1/aliases/{model}/{alias}: an `AliasMove` without what the path says."""

    expected: Version | None
    version: Version | None
    detail: Detail = Field(default_factory=dict)
    key: Key | None = None


class EntryMessage(_Message):
    """An entry, as both POSTs answer."""

    record: Record
    checkpoint: str | None

    def entry(self) -> Entry:
        """Return the value."""
        return Entry(self.record, self.checkpoint)


class RecordsMessage(_Message):
    """GET /v1/records: a page."""

    records: list[Record]


class AliasesMessage(_Message):
    """GET /v1/aliases/{model}."""

    aliases: dict[str, int]


class InclusionMessage(_Message):
    """GET /v1/proofs/inclusion/{seq}."""

    seq: int
    hashes: list[Hash]
    checkpoint: str

    def proof(self) -> InclusionProof:
        """Return the value."""
        return InclusionProof(self.seq, tuple(self.hashes), self.checkpoint)


class ConsistencyMessage(_Message):
    """GET /v1/proofs/consistency?from=N."""

    from_size: int = Field(alias="from")
    hashes: list[Hash]
    checkpoint: str

    def proof(self) -> ConsistencyProof:
        """Return the value."""
        return ConsistencyProof(self.from_size, tuple(self.hashes), self.checkpoint)


class ErrorMessage(_Message):
    """Any answer that is not a success: the error's kind, what it says, where and what to do."""

    error: str
    message: str
    place: str = ""
    fix: str = ""

    def exception(self) -> KelpError:
        """Return the error to raise at the client."""
        kind = _KINDS.get(self.error, EnvironmentFault)
        return kind(self.message, place=self.place, fix=self.fix)


def error_to_message(error: KelpError) -> ErrorMessage:
    """Return the JSON of an error, as the nearest kind a client knows."""
    kind = next((name.__name__ for name in type(error).__mro__ if name.__name__ in _KINDS), "EnvironmentFault")
    return ErrorMessage(error=kind, message=error.message, place=error.place, fix=error.fix)
