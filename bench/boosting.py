# SPDX-License-Identifier: Apache-2.0
"""What the trainer `xgboost` costs beside scripts written by hand: `python -m bench.boosting` (about two minutes).

Three ways to fit the same 100 trees to the same Parquet file of 2,000,000 rows and 30 features, each in a process of
its own, on this machine, in one run: kelp's trainer; a script with a QuantileDMatrix from an iterator over the file;
a script with a DMatrix from a pandas frame. Wall times are the best of two turns. Budget: at most 1.05 times the
iterator script's wall time and 0.35 times the frame script's peak memory, at the same loss.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROWS = 2_000_000
BATCH = 65_536
WIDTH = 30
NAMES = tuple(f"f{position}" for position in range(WIDTH))
PARAMS = {"max_depth": 6, "eta": 0.1, "tree_method": "hist", "objective": "binary:logistic", "verbosity": 0, "seed": 7}
TREES = 100
TURNS = ("kelp", "iterator", "frame", "iterator", "kelp")
WALL_BUDGET = 1.05
MEMORY_BUDGET = 0.35


def main() -> int:
    """Measure, print, and return 1 when over a budget or when the losses differ."""
    found: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.parquet"
        write_rows(path)
        for case in TURNS:
            command = [sys.executable, "-m", "bench.boosting", case, str(path)]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found.setdefault(case, []).append(json.loads(printed))
    best = {case: {key: min(turn[key] for turn in turns) for key in turns[0]} for case, turns in found.items()}
    print("                          wall, s   peak, MiB    log loss")
    for case, values in best.items():
        print(f"{case:<22} {values['wall']:10.2f}  {values['peak']:10.0f}  {values['loss']:10.6f}")
    wall = best["kelp"]["wall"] / best["iterator"]["wall"]
    peak = best["kelp"]["peak"] / best["frame"]["peak"]
    print(f"wall, kelp to iterator {wall:10.3f}  budget {WALL_BUDGET}")
    print(f"peak, kelp to frame    {peak:10.3f}  budget {MEMORY_BUDGET}")
    is_same = len({round(values["loss"], 6) for values in best.values()}) == 1
    return int(wall > WALL_BUDGET or peak > MEMORY_BUDGET or not is_same)


def write_rows(path: Path) -> None:
    """Rows as prepare writes them; the target depends on ten of the features."""
    import pyarrow as pa

    from kelp.parquet import write_parquet

    schema = pa.schema(
        [*((name, pa.float32()) for name in NAMES), ("__target", pa.int64()), ("__validation", pa.bool_())]
    )
    rng = np.random.default_rng(3)

    def batches() -> Iterator[Any]:
        for start in range(0, ROWS, BATCH):
            count = min(BATCH, ROWS - start)
            matrix = rng.normal(size=(count, WIDTH)).astype(np.float32)
            signal = matrix[:, :10].sum(axis=1) + 2 * matrix[:, 0] * matrix[:, 1] + rng.normal(size=count)
            arrays = [pa.array(matrix[:, position]) for position in range(WIDTH)]
            arrays += [pa.array((signal > 1).astype(np.int64)), pa.array(np.zeros(count, dtype=bool))]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    write_parquet(batches(), schema, path)


def by_kelp(path: Path) -> Any:
    """Fit with kelp's trainer."""
    from components.train.boosting import Boosting
    from kelp.frame.transform import Transform
    from kelp.trainer import Rows, Training

    columns = [{"name": name, "type": "float", "nullable": False} for name in NAMES]
    features = [{"name": name, "column": name, "kind": "number"} for name in NAMES]
    transform = Transform.model_validate_json(
        json.dumps({"task": "binary", "classes": ["no", "yes"], "columns": columns, "features": features})
    )
    params = {"max_depth": PARAMS["max_depth"], "eta": PARAMS["eta"], "rounds": TREES}
    trainer = Boosting()
    trainer.fit(Training(transform, Rows(path, NAMES), params, seed=7))
    return trainer.booster


def by_iterator(path: Path) -> Any:
    """Fit as one would by hand, without loading the file."""
    import pyarrow.parquet as pq
    import xgboost

    class Batches(xgboost.DataIter):
        def __init__(self) -> None:
            super().__init__()
            self.file = pq.ParquetFile(path)
            self.reset()

        def reset(self) -> None:
            self.batches = self.file.iter_batches(batch_size=BATCH, columns=[*NAMES, "__target"])

        def next(self, input_data: Callable[..., None]) -> bool:
            batch = next(self.batches, None)
            if batch is None:
                return False
            columns = [column.to_numpy() for column in batch.columns]
            input_data(data=np.stack(columns[:-1], axis=1), label=columns[-1])
            return True

    return xgboost.train(PARAMS, xgboost.QuantileDMatrix(Batches()), num_boost_round=TREES)


def by_frame(path: Path) -> Any:
    """Fit as a notebook does."""
    import pandas as pd
    import xgboost

    frame = pd.read_parquet(path, columns=[*NAMES, "__target"])
    matrix = xgboost.DMatrix(frame[list(NAMES)], frame["__target"])
    return xgboost.train(PARAMS, matrix, num_boost_round=TREES)


def measure(case: str, path: Path) -> dict[str, float]:
    """Fit once; seconds with imports, peak memory in MiB, and the log loss on the first rows."""
    import pyarrow.parquet as pq

    fit = {"kelp": by_kelp, "iterator": by_iterator, "frame": by_frame}[case]
    started = time.perf_counter()
    booster = fit(path)
    wall = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with pq.ParquetFile(path) as file:
        table = file.read_row_group(0)
    matrix = np.stack([table.column(name).to_numpy() for name in NAMES], axis=1)
    score = booster.inplace_predict(matrix, validate_features=False).astype(np.float64)
    target = table.column("__target").to_numpy()
    return {"wall": wall, "peak": peak, "loss": float(-np.log(np.where(target == 1, score, 1 - score)).mean())}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
    else:
        sys.exit(main())
