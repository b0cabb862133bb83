# SPDX-License-Identifier: Apache-2.0
"""What callers may do with a connection, byte by byte: every way ends in the same answers."""

import json
import socket
from typing import Any

import httpx
import pytest

ROW = {"amount": 12.5, "merchant": "shop", "is_foreign": True, "items": 2}
V1 = "/v1/models/fraud:predict"
BODY = json.dumps({"instances": [ROW]}).encode()


@pytest.fixture
def address(server: Any) -> tuple[str, int]:
    host, port = server.url.removeprefix("http://").split(":")
    return host, int(port)


def request(*fields: str, body: bytes = BODY, path: str = V1, version: str = "1.1") -> bytes:
    return "\r\n".join([f"POST {path} HTTP/{version}", "host: a", *fields, "", ""]).encode() + body


def length(body: bytes = BODY) -> str:
    return f"content-length: {len(body)}"


def answers(address: tuple[str, int], *parts: bytes) -> bytes:
    """Send the parts one after another on a connection, and read until the server closes it."""
    with socket.create_connection(address, timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            connection.sendall(part)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


LAST = request("connection: close", length())


def test_pipelined_requests_are_answered_in_their_order(address: tuple[str, int]) -> None:
    bad = b'{"instances": 7}'
    mixed = [
        request(length()),
        b"GET /v2/models/fraud/ready HTTP/1.1\r\nhost: a\r\n\r\n",
        request(length(bad), body=bad),
        request("transfer-encoding: chunked", body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)),
        LAST,
    ]
    found = answers(address, b"".join(mixed))
    bodies = [part.partition(b"\r\n\r\n")[2] for part in found.split(b"HTTP/1.1 ")[1:]]
    assert [b"predictions" in body for body in bodies] == [True, False, False, True, True]
    assert bodies[1] == b'{"name":"fraud","ready":true}'
    assert b"instances: expected a list" in bodies[2]


def test_body_in_pieces_is_answered(address: tuple[str, int]) -> None:
    pieces = [LAST[at : at + 7] for at in range(0, len(LAST), 7)]
    assert answers(address, *pieces).startswith(b"HTTP/1.1 200")


def test_caller_that_waits_for_100_is_told_to_go_on(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(request("expect: 100-continue", "connection: close", length(), body=b""))
        assert connection.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert b"".join(iter(lambda: connection.recv(65_536), b"")).startswith(b"HTTP/1.1 200")


def test_http_1_0_is_answered_and_closed(address: tuple[str, int]) -> None:
    assert b"predictions" in answers(address, request(length(), version="1.0"))


def test_path_written_otherwise_is_answered_alike(address: tuple[str, int]) -> None:
    for path in (V1.replace("fraud", "%66raud"), f"{V1}?trace=1"):
        assert b"predictions" in answers(address, request("connection: close", length(), path=path))


def test_answer_says_what_every_answer_says(client: httpx.Client) -> None:
    fast = client.post(V1, content=BODY)
    slow = client.post(V1, content=(part for part in (BODY,)))
    assert fast.content == slow.content
    assert dict(fast.headers).keys() == dict(slow.headers).keys()
    assert fast.headers["content-type"] == slow.headers["content-type"] == "application/json"


def test_what_is_no_http_is_refused(address: tuple[str, int]) -> None:
    assert answers(address, b"POST / NOTHING\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_head_has_no_body(client: httpx.Client) -> None:
    assert client.head("/v2/health/ready").content == b""
    assert client.post(V1, content=BODY).status_code == 200
