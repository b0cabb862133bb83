# SPDX-License-Identifier: Apache-2.0
"""Models and prepared rows: what train reads, as far as it reads it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kelp.frame.transform import Transform
from kelp.spec import Model, model_from_values
from kelp.trainer import Rows, Training

CLASSES = {
    "binary": ("no", "yes"),
    "multiclass": ("high", "low", "none"),
    "text": ("high", "low", "none"),
    "regression": (),
    "forecast": (),
}
_DATA: dict[str, dict[str, Any]] = {
    "binary": {"positive": "yes"},
    "forecast": {"time": "day", "series": {"key": ["shop"], "frequency": "1d", "horizon": "7d"}},
}


def a_model(
    task: str = "binary",
    *,
    trainer: str = "xgboost",
    params: Mapping[str, Any] | None = None,
    columns: Mapping[str, Mapping[str, Any]] | None = None,
    **train: Any,
) -> Model:
    """A model whose target is `label`; `train` is camelCase."""
    values: dict[str, Any] = {
        "apiVersion": "kelp.dev/v1alpha1",
        "kind": "Model",
        "metadata": {"name": "tiny"},
        "spec": {
            "task": task,
            "data": {
                "source": "data://table",
                "target": "label",
                "columns": dict(columns or {}),
                **_DATA.get(task, {}),
            },
            "train": {"trainer": trainer, "params": {"rounds": 10} if params is None else dict(params), **train},
        },
    }
    return model_from_values(values, "spec")


def a_transform(task: str = "binary", width: int = 4) -> Transform:
    names = [f"feature {position}" for position in range(width)]
    columns = [{"name": name, "type": "float", "nullable": True} for name in names]
    windows: dict[str, Any] = {}
    if task == "forecast":
        columns += [
            {"name": "shop", "type": "string", "nullable": False},
            {"name": "day", "type": "timestamp", "nullable": False},
            {"name": "label", "type": "float", "nullable": True, "optional": True},
        ]
        week = 7 * 86_400_000_000
        lag = {"name": "lag", "by": ["shop"], "over": "label", "take": "mean", "start_us": week, "end_us": week}
        windows = {"time": "day", "windows": [lag]}
    features = [{"name": name, "column": name, "kind": "number"} for name in names]
    classes = list(CLASSES[task])
    values = {"task": task, "classes": classes, "columns": columns, "features": features, **windows}
    return Transform.model_validate_json(json.dumps(values))


def write_matrix(folder: Path, *, task: str = "binary", rows: int = 400, width: int = 4) -> Path:
    """A learnable training part: the target follows from the first two features and noise."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(5)
    features = rng.normal(size=(rows, width)).astype(np.float32)
    signal = features[:, 0] + features[:, 1] * features[:, 0] + rng.normal(scale=0.5, size=rows)
    target = {
        "binary": (signal > 0).astype(np.int64),
        "multiclass": np.digitize(signal, [-0.5, 0.5]).astype(np.int64),
        "text": np.digitize(signal, [-0.5, 0.5]).astype(np.int64),
        "regression": signal.astype(np.float64) * 1000,
        "forecast": signal.astype(np.float64) * 1000,
    }[task]
    transform = a_transform(task, width)
    columns = {feature.name: features[:, position] for position, feature in enumerate(transform.features)}
    kept_back = np.arange(rows) % 5 == 0
    pq.write_table(pa.table({**columns, "__target": target, "__validation": kept_back}), folder / "train.parquet")
    (folder / "transform.json").write_text(transform.to_json(), encoding="utf-8")
    (folder / "prepare.json").write_text(json.dumps({"digest": "d" * 64}), encoding="utf-8")
    return folder


def a_training(folder: Path, task: str = "binary", **fields: Any) -> Training:
    """What a trainer is given, of the rows of `write_matrix`."""
    prepared = write_matrix(folder, task=task, rows=fields.pop("count", 400))
    transform = a_transform(task)
    rows = Rows(prepared / "train.parquet", tuple(feature.name for feature in transform.features))
    given: dict[str, Any] = {"params": {"rounds": 10}, "seed": 7, **fields}
    return Training(transform=transform, rows=rows, **given)


def json_of(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
