# SPDX-License-Identifier: Apache-2.0
"""A closed loop of requests to one HTTP server: every connection sends the next request when its answer is complete.

Answers are told apart by their Content-Length; anything but a status of 200 counts as a failure.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
import uvloop

WARM_UP_S = 0.5


@dataclass(frozen=True, slots=True)
class Load:
    """What a loop saw: answers a second, the median and the 99th percentile of latency in milliseconds.

    `cpu_us` is the server's processor time an answer, in microseconds.
    """

    per_second: float
    p50_ms: float
    p99_ms: float
    failures: int
    cpu_us: float


def http_request(path: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    """The bytes of one POST to 127.0.0.1."""
    fields = {"host": "127.0.0.1", "content-type": "application/json", **(headers or {})}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body


def measure(port: int, request: bytes, clock: Callable[[], float], *, connections: int, seconds: float) -> Load:
    """Run the loop on one core for `seconds`, after half a second that is not counted.

    Args:
        port: of the server.
        request: is sent again and again.
        clock: the server's processor time so far, in seconds.
        connections: how many requests are under way at any time.
        seconds: how long.
    """
    return uvloop.run(_measure(port, request, clock, connections, seconds))


async def _measure(port: int, request: bytes, clock: Callable[[], float], connections: int, seconds: float) -> Load:
    loop = asyncio.get_running_loop()
    clients = [_Client(request) for _ in range(connections)]
    for client in clients:
        await loop.create_connection(partial(_itself, client), "127.0.0.1", port)
    await asyncio.sleep(WARM_UP_S)
    start, start_cpu = time.perf_counter(), clock()
    for client in clients:
        client.latencies.clear()
    await asyncio.sleep(seconds)
    elapsed, cpu = time.perf_counter() - start, clock() - start_cpu
    for client in clients:
        client.stop()
    latencies = np.concatenate([np.array(client.latencies) for client in clients]) * 1000
    if not len(latencies):
        raise RuntimeError("the server answered nothing")
    p50, p99 = np.percentile(latencies, [50, 99])
    failures = sum(client.failures for client in clients)
    return Load(len(latencies) / elapsed, float(p50), float(p99), failures, cpu / len(latencies) * 1e6)


def _itself(client: "_Client") -> "_Client":
    return client


class _Client(asyncio.Protocol):
    """One kept-alive connection."""

    def __init__(self, request: bytes) -> None:
        self.latencies: list[float] = []
        self.failures = 0
        self._request = request
        self._buffer = b""
        self._sent_at = 0.0
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(self._buffer) < end + 4 + length:
            return
        self.latencies.append(time.perf_counter() - self._sent_at)
        self.failures += not head.startswith(b"http/1.1 200")
        self._buffer = b""
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self.failures += 1

    def stop(self) -> None:
        """Close the connection; the answer under way is not counted."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def _send(self) -> None:
        if self._transport is not None:
            self._sent_at = time.perf_counter()
            self._transport.write(self._request)
