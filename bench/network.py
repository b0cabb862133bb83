# SPDX-License-Identifier: Apache-2.0
"""How near an epoch of the trainer `torch` is to one without data: `python -m bench.network` (about two minutes).

One network learns a million rows of 30 features for one epoch, on one thread, in a process of its own for each case:
the same batch again and again (no data: the limit), rows from memory, rows streamed from Parquet, and torch's own
`DataLoader(TensorDataset)`. Each figure is the best of its rounds. Budget: from memory and streamed, an epoch takes at
most 1.8 times the limit.
"""

import itertools
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

ROWS = 1_000_000
WIDTH = 30
BATCH = 1024
ROUNDS = 2
BUDGET = 1.8
FEATURES = tuple(f"f{position}" for position in range(WIDTH))
CASES = ("no data", "memory", "stream", "DataLoader")


def main() -> int:
    """Measure, print, and return 1 when over the budget."""
    best: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.parquet"
        write(path)
        for _, case in itertools.product(range(ROUNDS), CASES):
            found = json.loads(subprocess.check_output([sys.executable, "-m", "bench.network", case, str(path)]))
            best[case] = min(best.get(case, found), found, key=lambda cost: float(cost["wall"]))
    limit = best["no data"]
    print("one epoch      wall, s   x limit    CPU, s   x limit   peak, MiB")
    for case, cost in best.items():
        wall, cpu = (f"{cost[kind]:9.2f} {cost[kind] / limit[kind]:9.2f}" for kind in ("wall", "cpu"))
        print(f"{case:<12} {wall} {cpu} {cost['peak']:11.0f}")
    print(f"budget {BUDGET} for the wall time of memory and stream")
    return int(max(best[case]["wall"] for case in ("memory", "stream")) > BUDGET * limit["wall"])


def write(path: Path) -> None:
    """A learnable table; the target follows from three features and noise."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(ROWS, WIDTH)).astype(np.float32)
    signal = matrix[:, 0] * matrix[:, 1] + matrix[:, 2] + rng.normal(scale=0.5, size=ROWS)
    columns = {name: matrix[:, position] for position, name in enumerate(FEATURES)}
    pq.write_table(pa.table({**columns, "__target": (signal > 0).astype(np.int64)}), path)


def one(case: str, path: Path) -> dict[str, float]:
    """Seconds of one epoch, and the peak of the process's memory in MiB."""
    import torch

    from components.train.network_fit import Fit, steady
    from components.train.network_layers import Layers
    from components.train.network_layout import Survey, layout_of
    from components.train.network_rows import SMALL_BYTES, Moments, open_source
    from components.train.network_settings import settings_of
    from kelp.frame.transform import Feature, RawColumn, Transform
    from kelp.trainer import Rows, Training

    columns = tuple(RawColumn(name=name, type="float", nullable=True) for name in FEATURES)
    features = tuple(Feature(name=name, column=name, kind="number") for name in FEATURES)
    transform = Transform(task="binary", classes=("no", "yes"), columns=columns, features=features)
    rows = Rows(path, FEATURES)
    survey = Survey(Moments(), Moments(), Moments())
    source = open_source(rows, survey.see, 0 if case == "stream" else SMALL_BYTES)
    settings = settings_of({"batch_size": BATCH}, is_text=False, rows=ROWS)
    with steady(7, "cpu"):
        fit = Fit(Layers(layout_of(transform, survey), settings), settings, Training(transform, rows, {}, 7))
        batch = next(fit.batches([source.sample(BATCH)], BATCH))
        fit.steps([batch] * 20)  # the first steps allocate
        if case == "no data":
            return cost(lambda: fit.steps([batch] * (ROWS // BATCH)))
        if case == "DataLoader":
            assert source.kept is not None
            tensors = [torch.from_numpy(part).float() for part in source.kept]
            loader = torch.utils.data.DataLoader(
                torch.utils.data.TensorDataset(*tensors), batch_size=BATCH, shuffle=True
            )
            return cost(lambda: fit.steps(loader))
        return cost(lambda: fit.epoch(source, np.random.default_rng(7)))


def cost(work: Callable[[], Any]) -> dict[str, float]:
    """Wall and CPU seconds of the work, and the peak of this process so far."""
    started, used = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - started, time.process_time() - used
    return {"wall": wall, "cpu": cpu, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(one(sys.argv[1], Path(sys.argv[2]))))
    else:
        sys.exit(main())
