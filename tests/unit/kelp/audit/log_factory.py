# SPDX-License-Identifier: Apache-2.0
"""Small logs in a folder, with a fixed key and a clock that ticks a second a reading."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from kelp.audit.ledger import Ledger
from kelp.audit.log import Event, PublishAliases
from kelp.audit.sqlite import LocalLog

SEED = bytes(range(32))
ORIGIN = "kelp.dev/log/test"


def a_clock() -> Callable[[], datetime]:
    ticks = count()
    return lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(ticks))


def a_log(
    folder: Path,
    *,
    actor: str = "alice",
    seed: bytes = SEED,
    publish_aliases: PublishAliases | None = None,
    origin: str = ORIGIN,
) -> LocalLog:
    ledger = Ledger(folder, seed=seed, publish_aliases=publish_aliases, clock=a_clock(), name_origin=lambda: origin)
    return LocalLog(ledger, actor)


def fill(log: LocalLog, records: int, *, batch: int = 1) -> None:
    """Append numbered records, `batch` to a commit."""
    start = log.size()
    for first in range(start, start + records, batch):
        numbers = range(first, min(first + batch, start + records))
        log.append_many([Event(action="step.done", subject=f"run/{n}", detail={"number": n}) for n in numbers])
