# SPDX-License-Identifier: Apache-2.0
"""What rolling features cost a running server: `python -m bench.windows` (about a minute).

A million payments of 100,000 customers, of whom few pay often, over 30 days in order of time, go through one history
with three windows of a day: how many payments, their mean, the time since the last. Each payment is asked about and
taken in. Once row by row, as requests of one row come, and once in requests of 1,000; both also with a journal on the
disk of the temporary folder. Budget: at most 20 microseconds of CPU time a row, one by one, with the journal. The
memory is what the process grew by while the first history filled. Then the history of 100,000 customers is written as a
snapshot while requests of one row go on, and is restored, once from the journal of all rows and once from the snapshot.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import numpy as np
import pyarrow.parquet as pq

from kelp.frame.history import History
from kelp.frame.journal import Kept, keep_history
from kelp.frame.parts import Take
from kelp.frame.transform import Column, Feature, RawColumn, Transform, Window

ROWS = 1_000_000
ENTITIES = 100_000
BUDGET_US = 20.0
_DAY_US = 86_400_000_000
_SLICE = 10_000  # rows whose requests are made at a time


def main() -> int:
    """Measure, print, and return 1 when over the budget."""
    columns = payments()
    before = _resident()
    history = History(transform())
    single = _microseconds(history, columns, 1)
    megabytes = (_resident() - before) / 2**20
    batched = _microseconds(History(transform()), columns, 1000)
    facts = history.facts()
    del history
    with tempfile.TemporaryDirectory() as folder:
        kept_single, kept_batched, figures = _kept(Path(folder), columns)
    print("                                  alone  with a journal")
    print(f"one row a request, us a row    {single:9.2f} {kept_single:9.2f}")
    print(f"1,000 rows a request, us a row {batched:9.2f} {kept_batched:9.2f}")
    print(f"entities                       {facts['entities']:9,}")
    print(f"events kept                    {facts['events']:9,}")
    print(f"memory, MiB                    {megabytes:9.1f}")
    for name, value in figures.items():
        print(f"{name:30} {value:9.2f}")
    print(f"budget {BUDGET_US:g} us for the first line, with a journal")
    return int(kept_single > BUDGET_US)


def _kept(folder: Path, columns: dict[str, Column]) -> tuple[float, float, dict[str, float]]:
    """CPU time a row in requests of one row and of 1,000, and what the journal of the first costs otherwise."""
    version = folder / "version"
    version.mkdir()
    (version / "transform.json").write_text(transform().to_json(), encoding="utf-8")
    pq.write_table(History(transform()).to_table(), version / "history.parquet")

    def keep(name: str) -> tuple[History, Kept, float]:
        history = History(transform())
        started = time.perf_counter()
        kept = keep_history(folder / name, history, version, journal_limit=2**40)
        return history, kept, time.perf_counter() - started

    history, kept, _ = keep("batched")
    batched = _microseconds(history, columns, 1000)
    kept.close()
    history, kept, _ = keep("single")
    single = _microseconds(history, columns, 1)
    shutil.copytree(folder / "single", folder / "killed")
    figures = {"journal, MiB": (folder / "killed" / "journal-000001.log").stat().st_size / 2**20}
    _, quiet = _longest_answer(history, columns, lambda: time.sleep(1))
    seconds, longest = _longest_answer(history, columns, kept.compact)
    figures |= {"snapshot, s": seconds, "snapshot: longest answer, ms": longest, "without: longest answer, ms": quiet}
    kept.close()
    del history, kept
    _, kept, figures["restored from a journal, s"] = keep("killed")
    kept.close()
    _, kept, figures["restored from a snapshot, s"] = keep("killed")
    kept.close()
    return single, batched, figures


def _longest_answer(history: History, columns: dict[str, Column], work: Callable[[], None]) -> tuple[float, float]:
    """Seconds that a thread works, and the longest of the answers to requests of one row meanwhile, in milliseconds."""
    thread = Thread(target=work)
    started, longest, row = time.perf_counter(), 0.0, ROWS - _SLICE
    thread.start()
    while thread.is_alive():
        row = max((row + 1) % ROWS, ROWS - _SLICE)
        request = {name: values[row : row + 1] for name, values in columns.items()}
        asked = time.perf_counter()
        history.answer(request, 1)
        longest = max(longest, time.perf_counter() - asked)
        time.sleep(0.0002)
    return time.perf_counter() - started, longest * 1e3


def transform() -> Transform:
    """Three windows of a day over the amounts of a customer."""
    takes: tuple[Take, ...] = ("count", "mean", "since")
    return Transform(
        task="regression",
        classes=(),
        time="at",
        columns=(
            RawColumn(name="at", type="timestamp", nullable=False),
            RawColumn(name="customer", type="string", nullable=False),
            RawColumn(name="amount", type="float", nullable=False),
        ),
        windows=tuple(
            Window(name=take, by=("customer",), over="amount", take=take, start_us=_DAY_US, end_us=1, unit=2.0**-20)
            for take in takes
        ),
        features=tuple(Feature(name=take, column=take, kind="number") for take in takes),
    )


def payments() -> dict[str, Column]:
    """Every column of the stream: every customer, and the rest of the payments by a falling popularity."""
    random = np.random.default_rng(7)
    popularity = 1 / np.arange(1, ENTITIES + 1) ** 0.8
    chosen = random.choice(ENTITIES, size=ROWS - ENTITIES, p=popularity / popularity.sum())
    customers = random.permutation(np.concatenate([np.arange(ENTITIES), chosen]))
    return {
        "at": 1.7e9 + np.sort(random.uniform(0, 30 * 86_400, ROWS)),
        "customer": np.array([f"C{customer:06d}" for customer in customers.tolist()], dtype=object),
        "amount": random.lognormal(3, 1, ROWS),
    }


def _microseconds(history: History, columns: dict[str, Column], size: int) -> float:
    """CPU time a row, of the history alone: the slice of the second half that other processes disturbed least."""
    spent = []
    for start in range(0, ROWS, _SLICE):
        requests = [
            {name: values[first : first + size] for name, values in columns.items()}
            for first in range(start, start + _SLICE, size)
        ]
        started = time.process_time()
        for request in requests:
            history.answer(request, size)
        spent.append(time.process_time() - started)
    return min(spent[len(spent) // 2 :]) / _SLICE * 1e6


def _resident() -> int:
    """Bytes of memory that the process holds now (Linux)."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


if __name__ == "__main__":
    sys.exit(main())
