# SPDX-License-Identifier: Apache-2.0
"""prepare: from a snapshot to a training and a test matrix, and the transform that made them.

Everything fitted (medians, categories) is fitted on the training part only. The matrices are computed by
`kelp.frame`, the same code that the model server runs on one request.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.prepare.fit import fit_transform
from components.prepare.labels import read_target
from components.prepare.privacy import protect
from components.prepare.split import refuse_unlearnable, split_rows
from kelp.errors import DataError
from kelp.frame.arrow import columns_from_table
from kelp.frame.transform import Transform
from kelp.home import Home
from kelp.parquet import file_digest, write_parquet
from kelp.spec import Model

__all__ = ["prepare"]

REFERENCE_ROWS = 5_000
TARGET = "__target"
GROUP = "__group:"
LEGACY = "__legacy"
_KEEP = "fill the gaps by another `missing` than drop"


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
        DataError: too few rows, not the classes that the task needs, or nothing to learn from.
        InputError: a rule of a column that the step cannot follow.
    """
    import pyarrow.parquet as pq

    types = _types(snapshot)
    table = protect(_drop_rows(pq.read_table(snapshot / "data.parquet"), model), model, home)
    classes, labels = read_target(model, table)
    parts = split_rows(model, table)
    refuse_unlearnable(model, labels, parts)
    raw = {name: types[name] for name in table.column_names}
    transform = fit_transform(model, raw, classes, table.take(parts.train))
    _write_matrix(model, transform, table, labels, parts.train, prepared / "train.parquet")
    _write_matrix(model, transform, table, labels, parts.test, prepared / "test.parquet")
    names = [column.name for column in transform.columns]
    _write_table(table.take(parts.test).select(names), prepared / "test_rows.parquet")
    _write_table(table.take(_sample(parts.train, model.spec.train.seed)).select(names), prepared / "reference.parquet")
    (prepared / "transform.json").write_text(transform.to_json(), encoding="utf-8")
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
    text = json.dumps(summary, indent=1, sort_keys=True, ensure_ascii=False)
    (prepared / "prepare.json").write_text(text, encoding="utf-8")
    return summary


def _types(snapshot: Path) -> dict[str, str]:
    columns = json.loads((snapshot / "ingest.json").read_text(encoding="utf-8"))["columns"]
    return {name: str(column["type"]) for name, column in columns.items()}


def _drop_rows(table: Any, model: Model) -> Any:
    """Leave out rows that miss a value in a column with `missing: drop`."""
    names = [name for name, column in model.spec.data.columns.items() if column.missing == "drop"]
    for name in names:
        table = table.filter(table.column(name).is_valid())
    if table.num_rows == 0:
        raise DataError(
            "expected rows, found that each of them misses a value", place=f"columns {', '.join(names)}", fix=_KEEP
        )
    return table


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
        arrays[LEGACY] = _legacy_scores(part, model.spec.legacy.column)
    _write_table(pa.table(arrays), path)


def _legacy_scores(part: Any, name: str) -> Any:
    import pyarrow as pa

    column = part.column(name)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        fix = f"declare {name} as int or float in spec.data.columns"
        raise DataError(f"expected numbers of the legacy system, found {column.type}", place=f"column {name}", fix=fix)
    return column.cast(pa.float64()).combine_chunks()


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
