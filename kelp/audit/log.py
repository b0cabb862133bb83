# SPDX-License-Identifier: Apache-2.0
"""The audit log as its users see it: the Protocol `AuditLog` and the values that go in and come out.

`kelp.audit.sqlite.LocalLog` (a folder) and `kelp.audit.client.HttpLog` (the audit service) implement it;
`kelp.audit.open_log` chooses. This module does no I/O.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Annotated, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field

from kelp.audit.record import Detail, Record
from kelp.errors import InputError

ALIAS_MOVE = "alias.move"  # reserved: only `move_alias` writes it, so that replaying the records gives the aliases
MAX_PAGE = 1000

# (model, its aliases) -> None: writes the registry's copy of one model's aliases, whole; may be called again
PublishAliases = Callable[[str, Mapping[str, int]], None]

_WORD = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # a DNS-1123 label
Word = Annotated[str, Field(pattern=rf"\A{_WORD.pattern}\z")]
Version = Annotated[int, Field(ge=1, le=2**53 - 1)]
Key = Annotated[str, Field(pattern=r"\A[\x21-\x7e]{1,200}\z")]


class Event(BaseModel):
    """A record to be: the log adds seq, time and actor.

    `key` makes a retry harmless: a second event of the same actor under the same key appends nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    action: str
    subject: str
    detail: Detail = Field(default_factory=dict)
    key: Key | None = None


class AliasMove(BaseModel):
    """A compare-and-set of one alias: from `expected` to `version`; None means that it does not exist."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    model: Word
    alias: Word
    expected: Version | None
    version: Version | None
    detail: Detail = Field(default_factory=dict)
    key: Key | None = None

    def event(self) -> Event:
        """Return the event that records this move.

        Raises:
            InputError: it moves nothing, or the detail uses a name the record needs.
        """
        moved: Detail = {"alias": self.alias, "from": self.expected, "to": self.version}
        if taken := moved.keys() & self.detail.keys():
            raise InputError(f"the names {sorted(taken)} are the log's own", place="detail", fix="rename them")
        if self.expected is None and self.version is None:
            raise InputError(f"there is nothing to move: {self.alias} from nothing to nothing", place="version")
        return Event(action=ALIAS_MOVE, subject=self.model, detail={**moved, **self.detail}, key=self.key)


@dataclass(frozen=True, slots=True)
class Entry:
    """A record in the log; `checkpoint` is the signed note that first covered it, where the log returns one."""

    record: Record
    checkpoint: str | None = None

    @property
    def seq(self) -> int:
        """The record's place in the log, from 0."""
        return self.record.seq


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """Shows that record `seq` is in the log `checkpoint` describes; `hashes` as in RFC 9162 section 2.1.3."""

    seq: int
    hashes: tuple[bytes, ...]
    checkpoint: str


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """Shows that the log `checkpoint` describes begins with the `old_size` records of an older one."""

    old_size: int
    hashes: tuple[bytes, ...]
    checkpoint: str


class AuditLog(Protocol):
    """An append-only log of records, and the aliases that some of them move.

    Every method raises `EnvironmentFault` when the disk or the network fails and `IntegrityError` when the log
    is not what it signed earlier. The actor of all records is fixed when the log is opened.
    """

    def append(self, action: str, subject: str, detail: Detail | None = None, *, key: str | None = None) -> Entry:
        """Add one durable record.

        Args:
            action: dotted words, such as `run.start`; not `alias.move`.
            subject: one line, what the action was done to, such as `fraud/3`.
            detail: a JSON object; with the other fields at most 64 KiB of canonical JSON.
            key: appending again with the same key returns the first entry and appends nothing.

        Raises:
            InputError: a field is not as above.
            TooLarge: the record is over 64 KiB.
            Refused: this identity may not append.
            Conflict: the key was used for another record.
        """
        ...

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
        """Move an alias from `expected` to `version` in one step, as a record; None means no such alias.

        Args:
            model: a DNS label.
            alias: a DNS label, such as `champion`.
            expected: the version the caller believes it stands at.
            version: the version it shall stand at; None removes it.
            detail: why; more fields of the record.
            key: as in `append`.

        Raises:
            Conflict: the alias stands elsewhere (the message says where), or the key was used for another record.
            InputError: a field is not as above.
            Refused: this identity may not move aliases.
            EnvironmentFault: also when the record is committed but the registry's copy could not be written;
                the message says so, and the copy is written when the log is next opened or an alias moves.
        """
        ...

    def aliases(self, model: str) -> dict[str, int]:
        """Return where the aliases of `model` stand; empty for a model without any.

        Raises:
            InputError: no model can have this name.
        """
        ...

    def entries(self, start: int = 0, limit: int = 100) -> Sequence[Entry]:
        """Return up to `limit` (1 to 1000) entries from seq `start`, without checkpoints; empty past the end.

        Raises:
            InputError: `start` or `limit` is out of range.
        """
        ...

    def size(self) -> int:
        """Return the number of records."""
        ...

    def checkpoint(self) -> str:
        """Return the latest signed checkpoint. Kept elsewhere, it is what cutting the log is measured against."""
        ...

    def vkey(self) -> str:
        """Return the public key that checkpoints are verified with, under the log's origin as its name."""
        ...

    def prove_inclusion(self, seq: int) -> InclusionProof:
        """Prove that record `seq` is in the log as of its latest checkpoint.

        Raises:
            NotFound: there is no such record.
        """
        ...

    def prove_consistency(self, old_size: int) -> ConsistencyProof:
        """Prove that the latest checkpoint extends the one of `old_size`.

        Raises:
            NotFound: the log has never been that large.
        """
        ...

    def close(self) -> None:
        """Release the file or the connection; the log is not used afterwards."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def check_model(model: str) -> None:
    """Refuse a name no model can have.

    Raises:
        InputError: it is not a DNS label.
    """
    if not _WORD.fullmatch(model):
        raise InputError(f"a model's name was expected, found {model[:80]!r}", place="model", fix="use a DNS label")


def check_page(start: int, limit: int) -> None:
    """Refuse a page outside the log's terms.

    Raises:
        InputError: `start` is negative or beyond 2**53, or `limit` is not 1 to 1000.
    """
    if not 0 <= start < 2**53:
        raise InputError(f"a seq from 0 on was expected, found {start}", place="start")
    if not 1 <= limit <= MAX_PAGE:
        raise InputError(f"1 to {MAX_PAGE} entries a page were expected, found {limit}", place="limit")
