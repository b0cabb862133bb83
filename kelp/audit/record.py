# SPDX-License-Identifier: Apache-2.0
"""One record of the audit log and its canonical bytes (RFC 8785), the bytes a leaf of the tree is the hash of.

A record says who (actor) did what (action) to what (subject), when, and how (detail). It holds no personal data:
callers log digests, counts and names of models, never rows.
"""

import json
import re
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError

from kelp.errors import InputError, IntegrityError, TooLarge

MAX_RECORD_BYTES = 64 * 1024
MAX_SEQ = 2**53 - 1  # the largest integer RFC 8785 can write

Detail = dict[str, JsonValue]
_Line = StringConstraints(strict=True, pattern=r"\A[^\x00-\x1f\x7f]+\z")

_LONG_NUMBER = re.compile(rb"[0-9]{16}")
_Values = TypeVar("_Values", bound=BaseModel)


class Record(BaseModel):
    """What the log keeps: `seq` counts from 0 without gaps, `time` is RFC 3339 in UTC with microseconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    seq: int = Field(ge=0, le=MAX_SEQ)
    time: str = Field(pattern=r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z\z")
    actor: Annotated[str, _Line, Field(max_length=128)]
    action: str = Field(pattern=r"\A[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)+\z", max_length=64)
    subject: Annotated[str, _Line, Field(max_length=512)]
    detail: Detail

    def to_bytes(self) -> bytes:
        """Return the canonical JSON.

        Raises:
            InputError: the detail holds a number or a text that JSON cannot carry exactly.
            TooLarge: it is over 64 KiB.
        """
        body = canonical(self.model_dump())
        if len(body) > MAX_RECORD_BYTES:
            raise TooLarge(
                f"a record of at most {MAX_RECORD_BYTES} bytes was expected, found {len(body)}",
                place="detail",
                fix="store the content elsewhere and log its digest",
            )
        return body


def canonical(value: JsonValue) -> bytes:
    """Return the one way to write a JSON value (RFC 8785).

    Raises:
        InputError: it holds a number or a text that JSON cannot carry exactly.
    """
    try:
        body = rfc8785.dumps(value)
        if _LONG_NUMBER.search(body):  # a float of 2**53 or more is written as an integer, which does not read back
            rfc8785.dumps(json.loads(body))
        return body
    except (rfc8785.CanonicalizationError, RecursionError) as error:
        raise InputError(
            f"a value cannot be written as canonical JSON ({str(error)[:200]})",
            place="detail",
            fix="log finite numbers, integers within 2**53 and valid text, or write large integers as text",
        ) from error


def new_record(*, seq: int, now: datetime, actor: str, action: str, subject: str, detail: Detail) -> Record:
    """Make a record dated `now` (timezone-aware).

    Raises:
        InputError: a field is not as `Record` describes it; the message names the field.
    """
    time = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return validated(
        Record, {"seq": seq, "time": time, "actor": actor, "action": action, "subject": subject, "detail": detail}
    )


def validated(kind: type[_Values], values: object, *, place: str = "") -> _Values:
    """Make `values` from outside into a `kind`.

    Raises:
        InputError: with every problem, each behind the field it is in.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in error.errors()]
        raise InputError("; ".join(problems)[:1000], place=place) from error
    except RecursionError as error:
        raise InputError("values nested less deeply were expected", place=place) from error


def record_from_bytes(body: bytes) -> Record:
    """Read a record back.

    Raises:
        IntegrityError: the bytes are not the canonical JSON of a record.
    """
    try:
        record = Record.model_validate(json.loads(body))
        if record.to_bytes() == body:
            return record
    except (ValueError, RecursionError, InputError) as error:
        raise IntegrityError(f"is not a record: {' '.join(str(error).split())[:300]}") from error
    raise IntegrityError("is not in canonical JSON (RFC 8785)")
