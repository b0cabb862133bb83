# SPDX-License-Identifier: Apache-2.0
"""A small version with trees, for the tests of everything that explains scores."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xgboost

from components.train.boosting_onnx import export_onnx
from kelp.frame.contributions import BOOSTER_FILE, REFERENCE_FILE
from kelp.frame.scorer import Scorer
from kelp.frame.transform import Feature, RawColumn, Transform

OBJECTIVES = {"binary": "binary:logistic", "multiclass": "multi:softprob", "regression": "reg:squarederror"}
CLASSES = {"binary": ("no", "yes"), "multiclass": ("high", "low", "none"), "regression": ()}


def a_transform(task: str) -> Transform:
    """Three numbers, and two parts of a time: five features of four columns."""
    numbers = [RawColumn(name=name, type="float", nullable=True) for name in "abc"]
    return Transform.model_validate(
        {
            "task": task,
            "classes": CLASSES[task],
            "columns": [*numbers, RawColumn(name="at", type="timestamp", nullable=True)],
            "features": [
                *(Feature(name=name, column=name, kind="number") for name in "abc"),
                Feature(name="at_hour", column="at", kind="hour"),
                Feature(name="at_weekday", column="at", kind="weekday"),
            ],
        }
    )


def a_version(folder: Path, task: str, scale: float = 1.0) -> Scorer:
    """A version directory as far as explaining reads it; three small trees a class. `scale` is of a regression."""
    transform = a_transform(task)
    rng = np.random.default_rng(5)
    raw = {name: rng.normal(size=300) for name in "abc"}
    raw["at"] = rng.integers(0, 2_000_000_000, 300).astype(np.float64)
    matrix = transform.apply(raw)
    target = matrix[:, 0] * (matrix[:, 3] > 12) + matrix[:, 1] - 0.3 * matrix[:, 4]
    if task == "regression":
        target = scale * target
    else:
        target = np.digitize(target, np.quantile(target, [0.5] if task == "binary" else [0.3, 0.7]))
    classes = {"num_class": 3} if task == "multiclass" else {}
    params = {"objective": OBJECTIVES[task], "max_depth": 3, "seed": 0, "nthread": 1, **classes}
    booster = xgboost.train(params, xgboost.DMatrix(matrix, label=target), 3)
    table = pa.table(
        {**{name: raw[name] for name in "abc"}, "at": pa.array((raw["at"] * 1e6).astype("datetime64[us]"))}
    )
    pq.write_table(table, folder / REFERENCE_FILE)
    booster.save_model(folder / BOOSTER_FILE)
    (folder / "model.onnx").write_bytes(export_onnx(booster, transform))
    (folder / "transform.json").write_text(transform.to_json())
    return Scorer.load(folder)
