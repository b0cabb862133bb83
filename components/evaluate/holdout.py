# SPDX-License-Identifier: Apache-2.0
"""The held-out rows and what the steps before wrote about them: everything `evaluate` reads but the models."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.evaluate.series import SeriesRows, read_series
from components.evaluate.truth import FloatArray, Truth, Units
from kelp.errors import DataError, IntegrityError, NotFound
from kelp.frame.transform import Transform
from kelp.prepared import ENTITY, GROUP, LEGACY, SERIES, TARGET

KINDS = {"text": "multiclass"}  # a task that is judged as another one


@dataclass(frozen=True, slots=True)
class Holdout:
    """The test part.

    Attributes:
        transform: what made `features`; its task and classes are the spec's.
        features: float32, shape (n_rows, n_features), in the transform's order.
        truth: targets, and which rows belong together.
        groups: by protected column, each row's group, object, shape (n_rows,); `(missing)` where it is unknown.
        legacy: float64, shape (n_rows,), NaN where the legacy system gave none; None without a legacy column.
        train_target: float64, shape (n_train,).
        raw: the rows as callers would send them, then their windows; a `pyarrow.Table` aligned with `features`.
        series: what a forecast's rows hold beside; None for other tasks.
    """

    transform: Transform
    features: npt.NDArray[np.float32]
    truth: Truth
    groups: Mapping[str, npt.NDArray[np.object_]]
    legacy: FloatArray | None
    train_target: FloatArray
    raw: Any
    series: SeriesRows | None = None

    @property
    def target(self) -> FloatArray:
        """Class index or value, shape (n_rows,)."""
        return self.truth.target

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; empty where there are none."""
        return self.transform.classes


def read_json(path: Path) -> dict[str, Any]:
    """Read what another step wrote.

    Raises:
        NotFound: the file is not there.
        IntegrityError: it is not a JSON object.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise NotFound("expected the file an earlier step writes", place=str(path), fix="run that step") from error
    except ValueError as error:
        raise IntegrityError(f"expected JSON: {error}", place=str(path), fix="run the step that writes it") from error
    if not isinstance(content, dict):
        raise IntegrityError(f"expected a JSON object, found {type(content).__name__}", place=str(path))
    return content


def read_holdout(prepared: Path) -> Holdout:
    """Read the test part.

    Raises:
        NotFound: a file is missing.
        DataError: there are no test rows, only one class in them, or a target that is not a class or not finite.
        IntegrityError: a file is not what prepare writes.
    """
    test, raw = (_table(prepared / name) for name in ("test.parquet", "test_rows.parquet"))
    transform = _transform(prepared / "transform.json")
    if raw.num_rows != test.num_rows:
        raise IntegrityError(
            f"expected as many rows as in test.parquet ({test.num_rows}), found {raw.num_rows}",
            place=str(prepared / "test_rows.parquet"),
            fix="run prepare again",
        )
    features = np.empty((test.num_rows, transform.width), dtype=np.float32)
    for position, feature in enumerate(transform.features):
        features[:, position] = _column(test, feature.name, prepared)
    target = _checked_target(_column(test, TARGET, prepared), transform, prepared)
    series = None
    if transform.task == "forecast":
        described = read_json(prepared / "prepare.json").get("series")
        series = read_series(test, _table(prepared / "train.parquet", [SERIES, TARGET]), described, prepared)
    return Holdout(
        transform=transform,
        features=features,
        truth=Truth(
            task=KINDS.get(transform.task, transform.task),
            target=target,
            scale=series.scale if series else None,
            entities=_entities(test.column(ENTITY)) if ENTITY in test.column_names else None,
            blocks=series.blocks if series else None,
        ),
        groups={
            name.removeprefix(GROUP): _groups(test.column(name)) for name in test.column_names if name.startswith(GROUP)
        },
        legacy=_column(test, LEGACY, prepared) if LEGACY in test.column_names else None,
        train_target=_column(_table(prepared / "train.parquet", [TARGET]), TARGET, prepared),
        raw=raw,
        series=series,
    )


def read_training_sample(prepared: Path, transform: Transform, most: int) -> tuple[npt.NDArray[np.float32], FloatArray]:
    """Read features and targets of at most so many rows of the training part, evenly spread."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [*(feature.name for feature in transform.features), TARGET]
    with pq.ParquetFile(prepared / "train.parquet", pre_buffer=True) as file:
        rows, start, parts = file.metadata.num_rows, 0, []
        chosen = np.unique(np.linspace(0, max(rows - 1, 0), min(most, rows)).astype(np.int64))
        for batch in file.iter_batches(columns=names):
            inside = chosen[(chosen >= start) & (chosen < start + batch.num_rows)] - start
            parts.append(batch.take(pa.array(inside)))
            start += batch.num_rows
    table = pa.Table.from_batches(parts)
    features = np.empty((table.num_rows, transform.width), dtype=np.float32)
    for position, name in enumerate(names[:-1]):
        features[:, position] = _column(table, name, prepared)
    return features, _column(table, TARGET, prepared)


def _entities(column: Any) -> Units:
    """Number the entities; a row without one is its own."""
    coded = column.combine_chunks().dictionary_encode()
    codes = np.asarray(coded.indices.to_numpy(zero_copy_only=False), dtype=np.float64)
    is_missing, known = np.isnan(codes), len(coded.dictionary)
    codes[is_missing] = known + np.arange(is_missing.sum())
    return Units(codes.astype(np.intp), known + int(is_missing.sum()))


def _transform(path: Path) -> Transform:
    try:
        return Transform.from_json(path.read_bytes(), place=str(path))
    except FileNotFoundError as error:
        raise NotFound("expected the file that prepare writes", place=str(path), fix="run prepare first") from error


def _table(path: Path, columns: list[str] | None = None) -> Any:
    import pyarrow.parquet as pq
    from pyarrow.lib import ArrowInvalid

    try:
        return pq.read_table(path, columns=columns)
    except FileNotFoundError as error:
        raise NotFound("expected the file that prepare writes", place=str(path), fix="run prepare first") from error
    except ArrowInvalid as error:
        raise IntegrityError(f"expected Parquet: {error}", place=str(path), fix="run prepare again") from error


def _column(table: Any, name: str, prepared: Path) -> FloatArray:
    if name not in table.column_names:
        raise IntegrityError(
            f"expected a column {name!r}", place=str(prepared / "test.parquet"), fix="run prepare again"
        )
    return np.asarray(table.column(name).to_numpy(), dtype=np.float64)


def _groups(column: Any) -> npt.NDArray[np.object_]:
    return np.array(["(missing)" if value is None else value for value in column.to_pylist()], dtype=object)


def _checked_target(target: FloatArray, transform: Transform, prepared: Path) -> FloatArray:
    place = str(prepared / "test.parquet")
    fix = "widen spec.data.split.test, or check the split: a test part by time may hold one class only"
    if len(target) == 0:
        raise DataError("expected test rows, found none", place=place, fix=fix)
    if not np.isfinite(target).all():
        raise DataError("expected a finite target in every test row", place=place, fix="check the target's column")
    if not transform.classes:
        return target
    seen = set(np.unique(target).tolist())
    if not seen <= set(range(len(transform.classes))):
        raise IntegrityError(f"expected class indices below {len(transform.classes)}, found {seen}", place=place)
    if len(seen) < 2:
        only = transform.classes[int(next(iter(seen)))]
        raise DataError(f"expected rows of at least two classes, found only {only!r}", place=place, fix=fix)
    return target
