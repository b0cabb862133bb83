# SPDX-License-Identifier: Apache-2.0
"""What it costs to score rows with 300 trees of depth 6 over 30 features: `python -m bench.kernels` (half a minute).

The same trees by ONNX Runtime, by XGBoost with a DMatrix for each call and in place, and by kelp's kernel; each on one
thread, and no call sees rows that another has seen, or the processor would learn which way they go. The best of some
turns, in microseconds a call. Budget: for 100 rows at most a quarter of ONNX Runtime's time, for one row at most the
same, and 15 milliseconds for a server that loads the model to read the trees and to measure which of the two is faster.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from bench.servers import write_example
from kelp.frame.scorer import Scorer
from serving.trees.choose import faster
from serving.trees.ensemble import read_ensemble
from serving.trees.session import TreeSession, compiled

SIZES = (1, 10, 100, 1000)
BUDGETS = {1: 1.0, 100: 0.25}  # of ONNX Runtime's time
LOAD_BUDGET_MS = 15.0
_ROWS = 100_000
_TURNS = 10

Score = Callable[[Any], Any]


def main() -> int:
    """Measure, print, and return 1 when over a budget or when the scores differ."""
    with tempfile.TemporaryDirectory() as folder:
        given, _ = write_example(Path(folder))
        scorer = Scorer.load(Path(folder) / "1")
        ways = _ways(Path(folder), scorer)
        load_ms = min(_choosing_ms(scorer, Path(folder) / "1", given[:10]) for _ in range(_TURNS))
    rows = np.random.default_rng(5).normal(size=(_ROWS, given.shape[1])).astype(np.float32)
    expected = ways["onnxruntime"](rows[:5000])
    differs = {name: float(np.abs(score(rows[:5000]) - expected).max()) for name, score in ways.items()}
    print("us a call, rows       " + "".join(f"{size:>10,}" for size in SIZES) + "   differs by")
    found = {}
    for name, score in ways.items():
        found[name] = {size: _microseconds(score, rows, size) for size in SIZES}
        print(f"{name:<22}" + "".join(f"{us:10.1f}" for us in found[name].values()) + f"   {differs[name]:.1e}")
    shares = {size: found["kelp"][size] / found["onnxruntime"][size] for size in SIZES}
    print("kelp to onnxruntime   " + "".join(f"{share:10.2f}" for share in shares.values()))
    print("budget                " + "".join(f"{BUDGETS.get(size, ''):>10}" for size in SIZES))
    print(f"reading and measuring {load_ms:10.1f} ms  budget {LOAD_BUDGET_MS:g} ms")
    is_over = any(shares[size] > budget for size, budget in BUDGETS.items()) or load_ms > LOAD_BUDGET_MS
    return int(is_over or max(differs.values()) > 1e-5)


def _ways(folder: Path, scorer: Scorer) -> dict[str, Score]:
    """What scores a matrix, by name; each on one thread."""
    import xgboost

    booster = xgboost.Booster({"nthread": 1}, model_file=folder / "booster.ubj")
    ensemble, make = read_ensemble(folder / "1" / "model.onnx", scorer.transform.width), compiled()
    if ensemble is None or make is None:
        raise SystemExit("the compiled kernel is missing: install a C compiler, then run pip install -e . again")
    trees = TreeSession(ensemble, make(ensemble))
    return {
        "onnxruntime": lambda rows: scorer.session.run(["score"], {"rows": rows})[0],
        "xgboost, DMatrix": lambda rows: booster.predict(xgboost.DMatrix(rows, nthread=1)),
        "xgboost, in place": booster.inplace_predict,
        "kelp": lambda rows: trees.run(["score"], {"rows": rows})[0],
    }


def _microseconds(score: Score, rows: Any, size: int) -> float:
    """A call, on average over the turn that other processes disturbed least."""
    calls = max(10, 1000 // size)
    batches = _batches(rows, size)
    best_s = float("inf")
    for _ in range(_TURNS):
        turn = [next(batches) for _ in range(calls)]
        started = time.perf_counter()
        for batch in turn:
            score(batch)
        best_s = min(best_s, time.perf_counter() - started)
    return best_s / calls * 1e6


def _batches(rows: Any, size: int) -> Iterator[Any]:
    return cycle(rows[start : start + size] for start in range(0, len(rows) - size + 1, size))


def _choosing_ms(scorer: Scorer, folder: Path, rows: Any) -> float:
    started = time.perf_counter()
    faster(scorer, folder, rows)
    return (time.perf_counter() - started) * 1e3


if __name__ == "__main__":
    sys.exit(main())
