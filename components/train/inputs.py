# SPDX-License-Identifier: Apache-2.0
"""From a model's spec and what prepare wrote to the `Training` that a trainer is given."""

import ctypes
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from kelp.errors import DataError, EnvironmentFault
from kelp.frame.transform import Transform
from kelp.spec import Model
from kelp.trainer import Rows, Training

GPU = "nvidia.com/gpu"
_SIGNS: Mapping[str, Literal[1, -1]] = {"increasing": 1, "decreasing": -1}


def read_training(model: Model, prepared: Path, seed: int) -> Training:
    """Read what there is to learn from; rows are kept back where early stopping or a search asks for it.

    Raises:
        DataError: no row is left to learn from or to keep back, or no row of a class that is to be weighed.
        EnvironmentFault: the spec asks for a GPU, and there is none.
    """
    asked = model.spec.train
    transform = Transform.from_json((prepared / "transform.json").read_bytes(), place=str(prepared / "transform.json"))
    rows = Rows(prepared / "train.parquet", tuple(feature.name for feature in transform.features))
    training = Training(
        transform=transform,
        rows=rows,
        params=asked.params,
        seed=seed,
        device=_device(model),
        early_stopping=asked.early_stopping,
        monotone=_monotone(model, transform),
    )
    if asked.early_stopping is None and asked.search is None:
        return _weighed(training, model)
    parts = {part: replace(rows, kept_back=part) for part in (False, True)}
    for part, kept in parts.items():
        if kept.count() == 0:
            raise DataError(
                f"expected rows to {'compare models on' if part else 'learn from'}, found none",
                place=str(rows.path),
                fix="give more rows, or leave out spec.train.earlyStopping and spec.train.search",
            )
    return _weighed(replace(training, rows=parts[False], validation=parts[True]), model)


def on_all_rows(training: Training, model: Model) -> Training:
    """The same training on all rows, nothing kept back."""
    rows = replace(training.rows, kept_back=None)
    return _weighed(replace(training, rows=rows, validation=None, early_stopping=None), model)


def _weighed(training: Training, model: Model) -> Training:
    """Give every class the same weight in all, if the spec asks for it: n / (classes * n_class) a row."""
    if model.spec.train.class_weights == "none":
        return training
    classes = training.transform.classes
    counts = np.zeros(len(classes), dtype=np.int64)
    for _, target in replace(training.rows, features=()).batches():
        counts += np.bincount(target.astype(np.intp), minlength=len(classes))
    if not counts.all():
        raise DataError(
            f"expected rows of every class, found none of {classes[int(np.argmin(counts))]!r}",
            place=str(training.rows.path),
            fix="give more rows of it, or leave out spec.train.classWeights",
        )
    weights = counts.sum() / (len(classes) * counts)
    return replace(training, class_weights=tuple(weights.tolist()))


def _monotone(model: Model, transform: Transform) -> dict[str, Literal[1, -1]]:
    """The declared direction of every feature that is a column's own number."""
    declared = {name: column.monotone for name, column in model.spec.data.columns.items() if column.monotone}
    return {
        feature.name: _SIGNS[declared[feature.column]]
        for feature in transform.features
        if feature.kind == "number" and feature.column in declared
    }


def _device(model: Model) -> Literal["cpu", "cuda"]:
    resources = model.spec.train.resources
    if not any(part.get(GPU, "0") != "0" for part in (resources.requests, resources.limits)):
        return "cpu"
    if cuda_devices() == 0:
        raise EnvironmentFault(
            "expected a GPU of NVIDIA, found none",
            place="spec.train.resources",
            fix=f"run on a machine with a GPU and its driver, or ask for no {GPU}",
        )
    return "cuda"


def cuda_devices() -> int:
    """How many GPUs NVIDIA's driver has; 0 without a driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value
