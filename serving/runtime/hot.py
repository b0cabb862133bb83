# SPDX-License-Identifier: Apache-2.0
"""HTTP protocol of a connection: answers plain predictions where they are parsed, and leaves the rest to uvicorn.

uvicorn's own protocol builds an ASGI scope, a task and an event for every request; that costs more than most models.
A POST of known length to a model's canonical path, without `Expect`, needs none of them. Everything else (GET, chunked
or large bodies, pipelined requests behind a slow one, batches for a thread) goes uvicorn's way to
`serving.runtime.front`; both ask the same `serving.runtime.plane`.
"""

import time
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from serving.runtime.endpoint import Endpoint, hot_endpoint
from serving.runtime.front import http_ask, reply_to
from serving.runtime.plane import OFF_LOOP_BYTES, Plane
from serving.runtime.reply import Reply, header_lines

_LINGER_S = 0.1
_GOODBYE_S = 1.0
_MOST_OVERHEAD = 64 * 1024  # bytes of a request that are not its body, and as many again for each of its 8 KiB
_STALLED_S = 60.0
_UNUSUAL = (b"transfer-encoding", b"expect", b"upgrade", b"origin")

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
        self._is_receiving = False
        self._overhead = 0
        self._heard_at = 0.0
        self._asks_to_upgrade = False

    def data_received(self, data: bytes) -> None:
        """Let the parser see what has come."""
        self._unset_keepalive_if_required()
        self._heard_at = self.loop.time()
        self._overhead += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
            return
        if self._is_receiving and self._overhead > _MOST_OVERHEAD:
            self._end("431 Request Header Fields Too Large")

    def _stay(self, rest: bytes) -> None:
        """Answer in HTTP/1.1 a request that asks for another protocol, as every server may: Java's client asks first.

        The parser stops at such a request and takes its body for the other protocol's: it is fed once more, as if
        nothing had been asked for.
        """
        if self.parser.get_method() == b"CONNECT":
            self._end("405 Method Not Allowed")
            return
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                value = b"close" if b"close" in value.lower() else b"keep-alive"
            if name not in (b"upgrade", b"http2-settings"):
                lines.append(b"%b: %b" % (name, value))
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self._overhead = 0
        self.data_received(b"\r\n".join([*lines, b"", rest]))

    def end_if_stalled(self) -> None:
        """End the connection if it has sent a part of a request and then nothing for a minute."""
        if self._is_receiving and self.loop.time() - self._heard_at > _STALLED_S:
            self._end("408 Request Timeout")

    def _end(self, status: str) -> None:
        if not self.transport.is_closing():
            self.transport.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
            self.transport.close()

    def on_message_begin(self) -> None:
        """Start a request; the scope is built only if it turns out to be needed."""
        self.url = b""
        self._fields = {}
        self.headers = []
        self._is_receiving = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header field."""
        name = name.lower()
        self.headers.append((name, value))
        self._fields[name] = value

    def on_headers_complete(self) -> None:
        """Decide who answers."""
        self._overhead = 0
        self._asks_to_upgrade = self.parser.should_upgrade()
        if self._asks_to_upgrade:
            return  # the parser stops after this request, see `_stay`
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
            and len(length) <= 18
            and int(length) <= self._most_bytes
            and not any(name in fields for name in _UNUSUAL)
            and (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
        )

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body."""
        self._overhead -= 9 * len(body)
        if self._endpoint is None:
            super().on_body(body)
        else:
            self._chunks.append(body)

    def on_message_complete(self) -> None:
        """Answer, unless a thread should; then uvicorn goes on with what has been received."""
        self._is_receiving = False
        self._overhead = 0
        if self._asks_to_upgrade:
            return
        endpoint, self._endpoint = self._endpoint, None
        if endpoint is None:
            super().on_message_complete()
            return
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        identity = self._plane.id_of(self._fields.get(b"x-request-id"))
        ask = http_ask(endpoint, self._fields, body, identity, self._started)
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
            self._close()

    def _close(self) -> None:
        """Close the connection; over TLS a caller that does not close it too is waited for only so long."""
        self.transport.close()
        if self.scheme == "https":
            self.loop.call_later(_GOODBYE_S, self.transport.abort)

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
            self._close()
        self.on_response_complete()
