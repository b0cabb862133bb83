# SPDX-License-Identifier: Apache-2.0
"""What prepare writes, as far as train reads it."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CLASSES = {"binary": ["no", "yes"], "multiclass": ["high", "low", "none"], "regression": []}


def write_matrix(folder: Path, *, task: str = "binary", rows: int = 400, width: int = 4) -> Path:
    """A learnable training part: the target follows from the first two features and noise."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(5)
    features = rng.normal(size=(rows, width)).astype(np.float32)
    signal = features[:, 0] + features[:, 1] * features[:, 0] + rng.normal(scale=0.5, size=rows)
    names = [f"feature {position}" for position in range(width)]
    target = {
        "binary": (signal > 0).astype(np.int64),
        "multiclass": np.digitize(signal, [-0.5, 0.5]).astype(np.int64),
        "regression": signal.astype(np.float64) * 1000,
    }[task]
    columns = {name: features[:, position] for position, name in enumerate(names)}
    pq.write_table(pa.table({**columns, "__target": target}), folder / "train.parquet")
    summary = {"digest": "d" * 64, "features": names, "classes": CLASSES[task]}
    (folder / "prepare.json").write_text(json.dumps(summary), encoding="utf-8")
    return folder
