# SPDX-License-Identifier: Apache-2.0
"""prepare: from a snapshot to a training and a test matrix, and the transform that made them.

Everything fitted (medians, categories) is fitted on the training part only. The matrices are computed by
`kelp.frame`, the same code that the model server runs on one request.
"""

import hashlib
import hmac
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelp.errors import DataError
from kelp.frame import Transform
from kelp.frame.arrow import columns_from_table
from kelp.frame.fit import fit_transform
from kelp.home import PSEUDONYM_KEY, Home
from kelp.parquet import file_digest, write_parquet
from kelp.spec import Model

__all__ = ["prepare"]

REFERENCE_ROWS = 5_000
TARGET = "__target"
GROUP = "__group:"
LEGACY = "__legacy"


@dataclass(frozen=True, slots=True)
class Parts:
    """Row numbers of the snapshot, ascending; `boundary` says where the test part begins."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]
    boundary: str


def prepare(model: Model, home: Home, snapshot: Path, prepared: Path) -> dict[str, Any]:
    """Write `prepared/{train,test,test_rows,reference}.parquet`, `transform.json` and `prepare.json`.

    Args:
        model: says what is private, how to split and how to fill.
        home: has the key of pseudonyms.
        snapshot: what ingest wrote.
        prepared: an existing, empty folder.

    Returns:
        The content of prepare.json: digest, split, rows, features, dropped columns, classes.

    Raises:
        DataError: too few rows, or not the classes that the task needs.
    """
    import pyarrow.parquet as pq

    types = _types(snapshot)
    table = _protect(pq.read_table(snapshot / "data.parquet"), model, home)
    table = _drop_rows(table, model)
    target = table.column(model.spec.data.target)
    classes = _classes(model, target)
    labels = _labels(model, target, classes)
    parts = _split(model, table)
    _refuse_unlearnable(model, labels, parts)
    raw = {name: types[name] for name in table.column_names}
    transform = fit_transform(model, raw, classes, table.take(parts.train))
    _write_matrix(model, transform, table, labels, parts.train, prepared / "train.parquet")
    _write_matrix(model, transform, table, labels, parts.test, prepared / "test.parquet")
    names = [column.name for column in transform.columns]
    _write_table(table.take(parts.test).select(names), prepared / "test_rows.parquet")
    _write_table(table.take(_sample(parts.train, model.spec.train.seed)).select(names), prepared / "reference.parquet")
    (prepared / "transform.json").write_text(transform.to_json())
    summary = {
        "digest": _digest(prepared),
        "split": {
            "by": model.spec.data.split_by,
            "boundary": parts.boundary,
            "gapSeconds": model.spec.data.split.gap.total_seconds(),
        },
        "rows": {
            "train": len(parts.train),
            "test": len(parts.test),
            "gap": table.num_rows - len(parts.train) - len(parts.test),
        },
        "features": [feature.name for feature in transform.features],
        "dropped": sorted(name for name, kind in types.items() if name not in names and kind),
        "classes": list(classes),
    }
    (prepared / "prepare.json").write_text(json.dumps(summary, indent=1, sort_keys=True, ensure_ascii=False))
    return summary


def _types(snapshot: Path) -> dict[str, str]:
    columns = json.loads((snapshot / "ingest.json").read_text())["columns"]
    return {name: str(column["type"]) for name, column in columns.items()}


def _protect(table: Any, model: Model, home: Home) -> Any:
    """Drop and pseudonymise columns before anything else looks at them."""
    import pyarrow as pa

    private = {name: column.privacy for name, column in model.spec.data.columns.items() if column.privacy != "none"}
    table = table.drop_columns([name for name, rule in private.items() if rule == "drop"])
    for name in (name for name, rule in private.items() if rule == "pseudonymise"):
        key = home.secret(PSEUDONYM_KEY)
        encoded = table.column(name).combine_chunks().dictionary_encode()
        pseudonyms = pa.array([_pseudonym(key, value) for value in encoded.dictionary.to_pylist()], pa.string())
        hidden = pa.DictionaryArray.from_arrays(encoded.indices, pseudonyms).cast(pa.string())
        table = table.set_column(table.column_names.index(name), name, hidden)
    return table


def _pseudonym(key: bytes, value: object) -> str:
    """Keyed HMAC-SHA256 (RFC 2104) of the value's text, 32 hex digits."""
    return hmac.new(key, str(value).encode(), hashlib.sha256).hexdigest()[:32]


def _drop_rows(table: Any, model: Model) -> Any:
    """Leave out rows that miss a value in a column with `missing: drop`."""
    names = [name for name, column in model.spec.data.columns.items() if column.missing == "drop"]
    for name in names:
        table = table.filter(table.column(name).is_valid())
    return table


def _classes(model: Model, target: Any) -> tuple[str, ...]:
    """The labels: (negative, positive) for binary, sorted for multiclass, none for regression."""
    if model.spec.task == "regression":
        return ()
    found = sorted(target.unique().to_pylist())
    place = f"column {model.spec.data.target}"
    if len(found) < 2:
        raise DataError(f"expected at least two labels, found only {found}", place=place, fix="get data with both")
    if model.spec.task == "multiclass":
        return tuple(found)
    if len(found) > 2:
        raise DataError(f"expected two labels, found {len(found)}: {found[:6]}", place=place, fix="task: multiclass")
    positive = model.spec.data.positive or found[-1]
    if positive not in found:
        raise DataError(
            f"expected the positive label {positive!r}, found {found}", place=place, fix="spec.data.positive"
        )
    return (next(label for label in found if label != positive), positive)


def _labels(model: Model, target: Any, classes: tuple[str, ...]) -> NDArray[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if model.spec.task == "regression":
        return np.asarray(target.to_numpy(), dtype=np.float64)
    return np.asarray(pc.index_in(target, pa.array(classes)).to_numpy(), dtype=np.int64)


def _split(model: Model, table: Any) -> Parts:
    """Divide the rows; ties in time go to one side, and an entity is never on both."""
    data = model.spec.data
    if data.split_by == "time":
        return _split_by_time(np.asarray(table.column(data.time).to_numpy(), dtype="datetime64[us]"), model)
    column = data.entity if data.split_by == "entity" else data.id
    texts = table.column(column).to_pylist() if column else range(table.num_rows)
    threshold = data.split.test * 2**64
    seed = str(model.spec.train.seed).encode()
    shares = {text: _share(seed, text) for text in set(texts)}
    is_test = np.fromiter((shares[text] < threshold for text in texts), dtype=bool, count=table.num_rows)
    return Parts(np.flatnonzero(~is_test), np.flatnonzero(is_test), f"hash of {column or 'the row number'}")


def _share(seed: bytes, text: object) -> int:
    """A number that is uniform on [0, 2^64) over texts, and always the same for one."""
    return int.from_bytes(hashlib.blake2b(str(text).encode(), key=seed, digest_size=8).digest(), "big")


def _split_by_time(times: NDArray[Any], model: Model) -> Parts:
    split = model.spec.data.split
    ordered = np.sort(times)
    start = ordered[min(math.floor(len(ordered) * (1 - split.test)), len(ordered) - 1)]
    end_of_training = start - np.timedelta64(int(split.gap.total_seconds() * 1e6), "us")
    return Parts(np.flatnonzero(times < end_of_training), np.flatnonzero(times >= start), f"{start}Z")


def _refuse_unlearnable(model: Model, labels: NDArray[Any], parts: Parts) -> None:
    for name, rows in (("training", parts.train), ("test", parts.test)):
        place = f"the {name} part (split by {model.spec.data.split_by} at {parts.boundary})"
        if len(rows) < 2:
            raise DataError(
                f"expected at least 2 rows, found {len(rows)}", place=place, fix="more data, or another split"
            )
        if model.spec.task != "regression" and len(np.unique(labels[rows])) < 2:
            raise DataError("expected at least two labels, found one", place=place, fix="more data, or another split")


def _write_matrix(
    model: Model, transform: Transform, table: Any, labels: NDArray[Any], rows: NDArray[np.int64], path: Path
) -> None:
    import pyarrow as pa

    part = table.take(rows)
    matrix = transform.apply(columns_from_table(transform, part))
    arrays = {feature.name: pa.array(matrix[:, i]) for i, feature in enumerate(transform.features)}
    arrays[TARGET] = pa.array(labels[rows])
    for name, column in model.spec.data.columns.items():
        if column.protected:
            arrays[f"{GROUP}{name}"] = part.column(name).cast(pa.string()).combine_chunks()
    if model.spec.legacy and model.spec.legacy.column:
        arrays[LEGACY] = part.column(model.spec.legacy.column).cast(pa.float64()).combine_chunks()
    _write_table(pa.table(arrays), path)


def _write_table(table: Any, path: Path) -> None:
    write_parquet(_batches(table), table.schema.remove_metadata(), path)


def _batches(table: Any) -> Iterator[Any]:
    yield from table.replace_schema_metadata().to_batches()


def _sample(rows: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    if len(rows) <= REFERENCE_ROWS:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, REFERENCE_ROWS, replace=False))


def _digest(prepared: Path) -> str:
    """One digest over what training reads: both matrices and the transform."""
    names = ("train.parquet", "test.parquet", "transform.json")
    return hashlib.sha256("".join(file_digest(prepared / name) for name in names).encode()).hexdigest()
