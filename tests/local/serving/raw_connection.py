# SPDX-License-Identifier: Apache-2.0
"""A connection to a model server, byte by byte, and the check of a request on it: it is answered, by no fault of ours,
and the next good one on the same connection has the right answer. The fuzz tests and `test_hostile_requests` call it.
"""

import json
import socket

from tests.local.serving.conftest import ROW

SCORE = 0.8519527912139893  # of the row, exactly as it is sent


class Connection:
    """One kept-alive connection, on which one request follows the other."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._buffer = b""
        self._socket = self._opened()

    def _opened(self) -> socket.socket:
        found = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return found

    def ask(self, *parts: bytes, has_body: bool = True) -> tuple[int, dict[str, str], bytes]:
        """Send a request in parts; its answer's status, fields and body."""
        for part in parts:
            self._socket.sendall(part)
        status = 100
        while status == 100:
            head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            status = int(head[0].split(" ")[1])
        fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        if not has_body:
            return status, fields, b""
        if fields.get("transfer-encoding") == "chunked":
            return status, fields, self._chunks()
        return status, fields, self._exactly(int(fields["content-length"]))

    def is_open(self) -> bool:
        """Whether the server leaves the connection open, and has sent nothing that was not asked for."""
        self._socket.setblocking(False)
        try:
            return not self._buffer and self._socket.recv(1) is None
        except BlockingIOError:
            return True
        finally:
            self._socket.settimeout(30)

    def reopen(self) -> None:
        """Start again, after a request that asked for the end of the connection."""
        self.close()
        self._buffer, self._socket = b"", self._opened()

    def close(self) -> None:
        self._socket.close()

    def _until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            self._receive()
        found, _, self._buffer = self._buffer.partition(end)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._receive()
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    def _chunks(self) -> bytes:
        chunks = b""
        while size := int(self._until(b"\r\n"), 16):
            chunks += self._exactly(size)
            self._until(b"\r\n")
        self._until(b"\r\n")
        return chunks

    def _receive(self) -> None:
        received = self._socket.recv(65_536)
        assert received, "the server closed the connection"
        self._buffer += received


def request(method: str, path: bytes, fields: list[tuple[bytes, bytes]], body: bytes = b"") -> bytes:
    lines = [
        method.encode() + b" " + path + b" HTTP/1.1",
        b"host: a",
        *(name + b": " + value for name, value in fields),
    ]
    return b"\r\n".join([*lines, b"", b""]) + body


def post(path: str, body: bytes, *fields: tuple[str, str]) -> bytes:
    given_fields = [(name.encode(), value.encode("latin-1")) for name, value in fields]
    return request("POST", path.encode(), [*given_fields, (b"content-length", b"%d" % len(body))], body)


GOOD = post("/v1/models/fraud:predict", json.dumps({"instances": [ROW]}).encode(), ("content-type", "application/json"))


def check(connection: Connection, *parts: bytes, is_last: bool = False, has_body: bool = True) -> None:
    """Send a request: it is answered, by no fault of ours, and so is the next one."""
    status, fields, body = connection.ask(*parts, has_body=has_body)
    assert 200 <= status < 500, (status, body[:300])
    if status >= 400 and has_body and fields["content-type"] == "application/json":
        assert json.loads(body)
    if is_last:
        connection.reopen()
    else:
        assert "close" not in fields.get("connection", "")
        assert connection.is_open()
    status, _, body = connection.ask(GOOD)
    assert (status, json.loads(body)) == (200, {"predictions": [{"score": SCORE, "label": "true"}]})
