# SPDX-License-Identifier: Apache-2.0
"""HTTP protocol of a connection: answers plain predictions where they are parsed, and leaves the rest to uvicorn.

uvicorn's own protocol builds an ASGI scope, a task and an event for every request; that costs more than most models.
A POST of known length to a model's canonical path, without `Expect`, needs none of them. Everything else (GET, chunked
or large bodies, pipelined requests behind a slow one, batches for a thread) goes uvicorn's way to
`serving.runtime.front`; both ask the same `serving.runtime.plane`.
"""

import time
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from serving.runtime.endpoint import Endpoint, hot_endpoint
from serving.runtime.front import reply_to
from serving.runtime.plane import OFF_LOOP_BYTES, Ask, Plane
from serving.runtime.reply import Reply, header_lines

_LINGER_S = 0.1
_UNUSUAL = (b"transfer-encoding", b"expect", b"upgrade")

_usual: tuple[object, bytes] = (None, b"")


def _usual_lines(fields: list[tuple[bytes, bytes]]) -> bytes:
    """The lines of what uvicorn sends with every response, a list that it replaces every second."""
    global _usual
    if _usual[0] is not fields:
        _usual = (fields, header_lines(fields))
    return _usual[1]


class HotProtocol(HttpToolsProtocol):
    """One connection. The parser calls the `on_` methods in their order for each request."""

    def __init__(self, plane: Plane, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._plane = plane
        self._most_bytes = min(plane.body_limit, OFF_LOOP_BYTES)
        self._fields: dict[bytes, bytes] = {}
        self._endpoint: Endpoint | None = None  # of the request that is being received, if it is answered here
        self._chunks: list[bytes] = []
        self._started = 0.0
        self._is_last = False

    def on_message_begin(self) -> None:
        """Start a request; the scope is built only if it turns out to be needed."""
        self.url = b""
        self._fields = {}
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header field."""
        name = name.lower()
        self.headers.append((name, value))
        self._fields[name] = value

    def on_headers_complete(self) -> None:
        """Decide who answers."""
        endpoint = hot_endpoint(self.url)
        if endpoint is None or not self._is_plain():
            self._go_on_as_usual()
            return
        self._started = time.perf_counter()
        self._endpoint = endpoint
        self._chunks = []

    def _is_plain(self) -> bool:
        fields = self._fields
        length = fields.get(b"content-length", b"")
        return (
            length.isdigit()
            and int(length[:20]) <= self._most_bytes
            and not any(name in fields for name in _UNUSUAL)
            and (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
        )

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body."""
        if self._endpoint is None:
            super().on_body(body)
        else:
            self._chunks.append(body)

    def on_message_complete(self) -> None:
        """Answer, unless a thread should; then uvicorn goes on with what has been received."""
        endpoint, self._endpoint = self._endpoint, None
        if endpoint is None:
            super().on_message_complete()
            return
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        identity = self._plane.id_of(self._fields.get(b"x-request-id"))
        ask = Ask(endpoint, (self._fields, body), len(body), identity, self._started)
        outcome = self._plane.predict_now(ask)
        if outcome is not None:
            self._write(reply_to(ask, outcome))
            return
        self._go_on_as_usual()
        super().on_body(body)
        super().on_message_complete()

    def shutdown(self) -> None:
        """End the connection after the request that is under way; what the caller is just sending is still answered.

        An idle connection stays open for a moment: a request that crosses the signal gets its answer, and the answer
        says that the connection closes.
        """
        self._is_last = True
        if self.cycle is not None and not self.cycle.response_complete:
            super().shutdown()
        elif self._endpoint is None:
            self.loop.call_later(_LINGER_S, self._close_if_idle)

    def _close_if_idle(self) -> None:
        is_idle = self.cycle is None or self.cycle.response_complete
        if is_idle and self._endpoint is None and not self.transport.is_closing():
            self.transport.close()

    def _go_on_as_usual(self) -> None:
        """Do what uvicorn would have done up to the end of the header."""
        url, headers, fields = self.url, self.headers, self._fields
        super().on_message_begin()
        self.url = url
        self.headers.extend(headers)  # the list is the scope's
        self.expect_100_continue = fields.get(b"expect", b"").lower() == b"100-continue"
        super().on_headers_complete()
        if self._is_last and self.cycle is not None:
            self.cycle.keep_alive = False

    def _write(self, reply: Reply) -> None:
        is_last = self._is_last or not self.parser.should_keep_alive()
        end = b"connection: close\r\n\r\n" if is_last else b"\r\n"
        usual = _usual_lines(self.server_state.default_headers)
        self.transport.write(b"".join((STATUS_LINE[reply.status], usual, reply.head(), end, reply.body)))
        if is_last:
            self.transport.close()
        self.on_response_complete()
