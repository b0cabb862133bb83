# SPDX-License-Identifier: Apache-2.0
"""What preparation costs beside a pandas script: `python -m bench.preparation [--rows N]` (10 million: four minutes).

Both read the same Parquet file of 20 columns (90 days of events of 100,000 customers) and do the same: fill gaps,
replace the distinct customers by an HMAC, count the customer's events and take their mean over [t - 24 h, t), split by
time, write Parquet. Each runs in a process of its own. Budget: at least 4 times as fast, at most half the memory.
"""

import argparse
import hashlib
import hmac
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROWS = 10_000_000
LEAST_SPEED = 4.0
MOST_MEMORY = 0.5
_CHUNK = 131_072
_FLOATS = [f"amount_{number}" for number in range(10)]
_WHOLE = [f"whole_{number}" for number in range(3)]
_WORDS = [f"word_{number}" for number in range(4)]
_DAY_US = 86_400_000_000


def main() -> int:
    """Measure, print, and return 1 when over a budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--only", choices=sorted(_RUNS), help="run one of them in this process, in --folder")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    if asked.only:
        return _report(_RUNS[asked.only], asked.folder)
    with tempfile.TemporaryDirectory() as folder:
        write_snapshot(Path(folder), asked.rows)
        found = {name: _in_process(name, Path(folder)) for name in ("pandas", "kelp")}
    for name, cost in found.items():
        print(f"{name:<8} {cost['seconds']:8.1f} s  {cost['mebibytes']:8.0f} MiB")
    speed = found["pandas"]["seconds"] / found["kelp"]["seconds"]
    memory = found["kelp"]["mebibytes"] / found["pandas"]["mebibytes"]
    print(f"{speed:.2f} times as fast (budget {LEAST_SPEED}), {memory:.2f} of the memory (budget {MOST_MEMORY})")
    return int(speed < LEAST_SPEED or memory > MOST_MEMORY)


def _in_process(name: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.preparation", "--only", name, "--folder", str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout))


def _report(run: Callable[[Path], None], folder: Path) -> int:
    started = time.perf_counter()
    run(folder)
    seconds = time.perf_counter() - started
    mebibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "mebibytes": mebibytes}))
    return 0


def write_snapshot(folder: Path, rows: int) -> None:
    """Write a snapshot as ingest does: events in the order of time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(1)
    with pq.ParquetWriter(folder / "data.parquet", _schema(), compression="zstd") as writer:
        for start in range(0, rows, _CHUNK):
            end = min(start + _CHUNK, rows)
            table = pa.table(_columns(rng, end - start, start / rows, end / rows), schema=_schema())
            writer.write_table(table, row_group_size=_CHUNK)
    types = {"event_time": "timestamp", "customer": "string", "is_fraud": "category"}
    types |= dict.fromkeys(_FLOATS, "float") | dict.fromkeys(_WHOLE, "int") | dict.fromkeys(_WORDS, "category")
    columns = {name: {"type": types[name]} for name in _schema().names}
    (folder / "ingest.json").write_text(json.dumps({"columns": columns}), encoding="utf-8")


def _schema() -> Any:
    import pyarrow as pa

    fields = [("event_time", pa.timestamp("us")), ("customer", pa.string())]
    fields += [(name, pa.float64()) for name in _FLOATS] + [(name, pa.int64()) for name in _WHOLE]
    return pa.schema([*fields, *((name, pa.string()) for name in _WORDS), ("is_fraud", pa.string())])


def _columns(rng: np.random.Generator, rows: int, begin: float, end: float) -> dict[str, Any]:
    import pyarrow as pa

    times = np.sort(rng.integers(int(begin * 90 * _DAY_US), int(end * 90 * _DAY_US), rows)) + 1_700_000_000_000_000
    columns: dict[str, Any] = {
        "event_time": pa.array(times, pa.timestamp("us")),
        "customer": pa.array([f"customer-{number}" for number in rng.integers(0, 100_000, rows).tolist()]),
    }
    for at, name in enumerate(_FLOATS):
        values = np.round(rng.lognormal(3, 1, rows), 2)
        columns[name] = pa.array(values, mask=rng.random(rows) < (0.05 if at < 6 else 0.0))
    columns |= {name: pa.array(rng.integers(0, 1000, rows)) for name in _WHOLE}
    for at, name in enumerate(_WORDS):
        words = pa.array([f"word {number}" for number in range(5 + 40 * at)])
        columns[name] = words.take(pa.array(rng.integers(0, len(words), rows)))
    return columns | {"is_fraud": pa.array(["no", "yes"]).take(pa.array((rng.random(rows) < 0.05).astype(np.int8)))}


def run_kelp(folder: Path) -> None:
    """The step prepare."""
    from components.prepare import prepare
    from kelp.home import ensure_home, load_home
    from kelp.spec import model_from_values

    window = {"by": "customer", "over": _FLOATS[0], "window": "24h"}
    data = {
        "source": "data://events",
        "target": "is_fraud",
        "positive": "yes",
        "time": "event_time",
        "columns": {"customer": {"type": "string", "privacy": "pseudonymise"}},
    }
    features = [{"name": "count_24h", "take": "count", **window}, {"name": "mean_24h", "take": "mean", **window}]
    values = {"apiVersion": "kelp.dev/v1alpha1", "kind": "Model", "metadata": {"name": "bench"}}
    spec = {"task": "binary", "data": data, "features": features}
    prepared = folder / "kelp"
    prepared.mkdir()
    home = load_home(ensure_home(folder / "home"))
    prepare(model_from_values({**values, "spec": spec}, "bench"), home, folder, prepared)


def run_pandas(folder: Path) -> None:
    """The same by hand: whole columns in memory, the customers' windows by `rolling`."""
    import pandas as pd

    frame = pd.read_parquet(folder / "data.parquet")
    start = frame["event_time"].sort_values().iloc[int(len(frame) * 0.8)]
    is_test = frame["event_time"] >= start
    for name in (*_FLOATS, *_WHOLE):
        frame[name] = frame[name].fillna(frame.loc[~is_test, name].median()).astype("float32")
    for name in _WORDS:
        known = frame.loc[~is_test, name].value_counts().index
        frame[name] = pd.Categorical(frame[name], categories=known).codes.astype("float32") + 1
    distinct = frame["customer"].unique()
    hidden = [hmac.new(b"key", value.encode(), hashlib.sha256).hexdigest()[:32] for value in distinct]
    frame["customer"] = frame["customer"].map(dict(zip(distinct, hidden, strict=True)))
    frame["is_fraud"] = (frame["is_fraud"] == "yes").astype("int64")
    frame = frame.sort_values(["customer", "event_time"], kind="stable")
    windows = frame.set_index("event_time").groupby("customer", sort=False)[_FLOATS[0]].rolling("24h", closed="left")
    frame["count_24h"] = windows.count().fillna(0).to_numpy(dtype="float32")
    frame["mean_24h"] = windows.mean().to_numpy(dtype="float32")
    frame["mean_24h"] = frame["mean_24h"].fillna(frame["mean_24h"].median())
    frame = frame.sort_index()
    is_test = frame["event_time"] >= start
    for name, part in (("train", frame[~is_test]), ("test", frame[is_test])):
        part.to_parquet(folder / f"pandas-{name}.parquet", compression="zstd", index=False)


_RUNS = {"kelp": run_kelp, "pandas": run_pandas}

if __name__ == "__main__":
    sys.exit(main())
