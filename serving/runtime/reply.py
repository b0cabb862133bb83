# SPDX-License-Identifier: Apache-2.0
"""An HTTP response to a request that was answered or refused, as header fields or as the lines of its head."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from kelp.errors import KelpError
from serving.runtime.endpoint import JSON_LENGTH

_USUAL = b"content-type: application/json\r\nx-model-version: %b\r\nx-request-id: %b\r\ncontent-length: %d\r\n"

_LONGEST = 2000  # characters of a message, which may quote a caller's names

FAILED = "the server failed; its log says how, under the request's id"


class Reply(NamedTuple):
    """Its body, and what its header says; `json_length` is not None if bytes of tensors follow that much JSON."""

    status: int
    body: bytes
    version: str = ""
    request_id: str = ""
    json_length: int | None = None
    media_type: str = "application/json"

    def fields(self) -> list[tuple[bytes, bytes]]:
        """The header fields, without those that every response has."""
        kind = self.media_type if self.json_length is None else "application/octet-stream"
        fields = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(self.body))]
        if self.version:
            fields.append((b"x-model-version", self.version.encode()))
        if self.request_id:
            fields.append((b"x-request-id", self.request_id.encode("latin-1")))
        if self.json_length is not None:
            fields.append((JSON_LENGTH, b"%d" % self.json_length))
        return fields

    def head(self) -> bytes:
        """The same fields as lines."""
        if self.json_length is not None or not self.version:
            return header_lines(self.fields())
        return (
            b"content-type: application/json\r\nx-model-version: %b\r\nx-request-id: %b\r\ncontent-length: %d\r\n"
            % (
                self.version.encode(),
                self.request_id.encode("latin-1"),
                len(self.body),
            )
        )


def header_lines(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Header fields as they are sent."""
    return b"".join(b"%b: %b\r\n" % field for field in fields)


def json_reply(status: int, content: Any) -> Reply:
    """A reply of JSON that is about no prediction."""
    return Reply(status, orjson.dumps(content))


def refusal(error: Exception, version: str = "", request_id: str = "") -> Reply:
    """The reply to a request that cannot be answered: what was wrong, and what to do; of our own faults only the id."""
    if isinstance(error, KelpError):
        text = str(error)[:_LONGEST]
        content = {"error": text, "fix": error.fix} if error.fix else {"error": text}
        return Reply(error.http_status, orjson.dumps(content), version, request_id)
    return Reply(500, orjson.dumps({"error": FAILED, "request_id": request_id}), version, request_id)
