# SPDX-License-Identifier: Apache-2.0
"""What a prediction costs beside KServe's own Python server: `python -m bench.serving` (about a minute and a half).

The same 300 trees of depth 6 over 30 numbers, served by `bench.stock` and by `serving.runtime`, each on core 1 while
the load comes from core 0; in turns, in one run. Ours counts metrics and sends its prediction log to a sink. Answers
are compared with xgboost's before anything is timed. The better of two turns counts; ratios are ours to the peer's.
On a machine with other work the processor time an answer says more than the rates.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.cases import CASES, Case, GrpcCase
from bench.load import Load
from bench.servers import Server, ours, sink, stock, write_example

CONNECTIONS = 8
SECONDS = 1.5
TURNS = 2
TOLERANCE = 1e-5

AnyCase = Case | GrpcCase

Line = tuple[str, float, float | None, float, bool]
"""Name, ours, the peer's (None: ours is compared itself), budget, and whether that is the least it may be."""


def main() -> int:
    """Measure, print, and return 1 when over a budget."""
    os.sched_setaffinity(0, {0})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows, expected = write_example(folder)
        with sink() as log_url, ours(folder, log_url) as server, stock(folder) as peer:
            for case in CASES:
                for one in (server, peer):
                    _compare(one, case, rows, expected)
            lines = [line for case in CASES for line in _measured(case, server, peer, rows)]
            lines.append(("memory, MiB", server.resident_mib(), peer.resident_mib(), 0.85, False))
            lines.append(("ready after start, s", server.ready_s, None, 3, False))
            lines.append(("load of the model, ms", server.metric("kelp_model_load_seconds") * 1000, None, 50, False))
            dropped = server.metric("kelp_log_dropped_total")
    is_met = [_print(line) for line in lines]
    print(f"{'events of the log that were dropped':36}{dropped:10.0f}")
    return int(not all(is_met))


def _compare(server: Server, case: AnyCase, rows: Any, expected: Any) -> None:
    """What a server answers must be xgboost's scores."""
    found = np.array(case.scores(server, rows))
    worst = float(np.abs(found - expected[: case.rows]).max())
    if worst > TOLERANCE:
        raise RuntimeError(f"{server.name}, {case.name}: an answer differs from xgboost's by {worst}")


def _measured(case: AnyCase, server: Server, peer: Server, rows: Any) -> list[Line]:
    mine, others = _in_turns(case, server, peer, rows, CONNECTIONS)
    rate, cost, tail = case.name + ": a second", "    processor time an answer, us", "    p99 at 8 connections, ms"
    lines: list[Line] = [
        (rate, max(load.per_second for load in mine), max(load.per_second for load in others), case.budget, True),
        (cost, min(load.cpu_us for load in mine), min(load.cpu_us for load in others), 1 / case.budget, False),
        (tail, min(load.p99_ms for load in mine), min(load.p99_ms for load in others), 1, False),
    ]
    if case is CASES[0]:
        mine, others = _in_turns(case, server, peer, rows, 1)
        median = (min(load.p50_ms for load in mine), min(load.p50_ms for load in others))
        lines.append(("    p50 at 1 connection, ms", *median, 1 / 5, False))
    return lines


def _in_turns(
    case: AnyCase, server: Server, peer: Server, rows: Any, connections: int
) -> tuple[list[Load], list[Load]]:
    loads: tuple[list[Load], list[Load]] = ([], [])
    for _ in range(TURNS):
        for one, into in zip((server, peer), loads, strict=True):
            load = case.load(one, rows, connections=connections, seconds=SECONDS)
            if load.failures:
                raise RuntimeError(f"{one.name}, {case.name}: {load.failures} requests failed")
            into.append(load)
    return loads


def _print(line: Line) -> bool:
    name, found, peer, budget, is_least = line
    value = found if peer is None else found / peer
    is_met = value >= budget if is_least else value <= budget
    compared = " " * 20 if peer is None else f"{peer:10.2f}{value:10.2f}"
    print(f"{name:36}{found:10.2f}{compared}  {'>=' if is_least else '<='} {budget:.3g}{'' if is_met else '  MISSED'}")
    return is_met


if __name__ == "__main__":
    print(f"{'':36}{'kelp':>10}{'stock':>10}{'ratio':>10}  budget", flush=True)
    sys.exit(main())
