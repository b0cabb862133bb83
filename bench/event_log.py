# SPDX-License-Identifier: Apache-2.0
"""The prediction log with its sink cut off: `python -m bench.event_log` (about two and a half minutes).

300 requests a second for a minute, sent at their times whatever the answers do, to a server whose events go to the
store of `monitoring.events`; once undisturbed, once with that process killed after 20 s and started again after 40 s.
Latency counts from the time a request was due. No answer may fail, and every answered request is stored once or
counted as dropped.
"""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import uvloop

from bench.servers import Server, free_port, ours, write_example

A_SECOND = 300
SECONDS = 60
CONNECTIONS = 8
CUT_AT_S, BACK_AT_S = 20, 40
_DRAINED_S = 60


@dataclass(frozen=True, slots=True)
class Found:
    """What one minute showed; latencies in milliseconds."""

    latencies: list[float]
    failures: int
    stored: int
    dropped: int


def main() -> int:
    """Measure, print, and return 1 if an answer failed or an event is neither stored nor counted."""
    os.sched_setaffinity(0, {0})
    with tempfile.TemporaryDirectory() as name:
        rows, _ = write_example(Path(name))
        instance = {f"f{position}": float(value) for position, value in enumerate(rows[0])}
        found = {cut: minute(Path(name), json.dumps({"instances": [instance]}).encode(), cut) for cut in (False, True)}
    print(f"{'':28}{'undisturbed':>14}{'sink cut off':>14}")
    for title, number in (
        ("requests answered", lambda run: len(run.latencies)),
        ("answers that failed", lambda run: run.failures),
        ("events stored", lambda run: run.stored),
        ("events dropped", lambda run: run.dropped),
    ):
        print(f"{title:28}{number(found[False]):14,}{number(found[True]):14,}")
    for share in (50, 99, 99.9):
        values = [float(np.percentile(run.latencies, share)) for run in found.values()]
        print(f"{f'p{share:g}, ms':28}{values[0]:14.2f}{values[1]:14.2f}")
    is_kept = [not run.failures and run.stored + run.dropped == len(run.latencies) for run in found.values()]
    return 0 if all(is_kept) else 1


def minute(folder: Path, body: bytes, is_cut: bool) -> Found:
    """One run against a server and a store of its own."""
    database, port = folder / f"events-{is_cut}.db", free_port()
    sink = _Sink(database, port)
    try:
        with ours(folder, f"http://127.0.0.1:{port}/events") as server:
            latencies, failures = uvloop.run(_open_loop(server, body, sink.cut if is_cut else None))
            deadline = time.monotonic() + _DRAINED_S
            while server.metric("kelp_log_queue_events") and time.monotonic() < deadline:
                time.sleep(0.1)
            dropped = int(server.metric("kelp_log_dropped_total"))
    finally:
        sink.end(signal.SIGTERM)
    with sqlite3.connect(database) as connection:
        (stored,) = connection.execute("SELECT count(DISTINCT request_id) FROM events").fetchone()
    return Found(latencies, failures, stored, dropped)


class _Sink:
    """The process that stores events."""

    def __init__(self, database: Path, port: int) -> None:
        self._command = [sys.executable, "-m", "monitoring.events", "--database", str(database), "--port", str(port)]
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)

    def end(self, number: int) -> None:
        """Send it a signal, and wait."""
        self._process.send_signal(number)
        self._process.wait(30)

    async def cut(self) -> None:
        """Kill it and start it again, at their times."""
        await asyncio.sleep(CUT_AT_S)
        self.end(signal.SIGKILL)
        await asyncio.sleep(BACK_AT_S - CUT_AT_S)
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)


async def _open_loop(
    server: Server, body: bytes, disturb: "Callable[[], asyncio.Future[None]] | None"
) -> tuple[list[float], int]:
    """Each connection sends every eighth request, when it is due."""
    latencies: list[float] = []
    failures = 0
    start = time.perf_counter() + 0.5

    async def caller(first: int) -> None:
        nonlocal failures
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for number in range(first, A_SECOND * SECONDS, CONNECTIONS):
            due = start + number / A_SECOND
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            lines = f"POST /v1/models/{server.name}:predict HTTP/1.1\r\nhost: a\r\nx-request-id: {number}\r\n"
            head = f"{lines}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(answer.partition(b"content-length:")[2].split(b"\r\n", 1)[0]))
            latencies.append((time.perf_counter() - due) * 1000)
            failures += not answer.startswith(b"http/1.1 200")
        writer.close()

    others = [disturb()] if disturb is not None else []
    await asyncio.gather(*(caller(first) for first in range(CONNECTIONS)), *others)
    return latencies, failures


if __name__ == "__main__":
    sys.exit(main())
