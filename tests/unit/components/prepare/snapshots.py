# SPDX-License-Identifier: Apache-2.0
"""Snapshots made by hand, and what prepare makes of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from components.prepare import prepare
from kelp.frame.transform import Feature, Transform
from kelp.spec import Model
from tests.unit.components.ingest.factories import Bench

ARROW = {
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us"),
    "string": pa.string(),
    "category": pa.string(),
    "text": pa.string(),
}
Columns = Mapping[str, tuple[str, Sequence[Any]]]
"""By name: the type that ingest gave the column, and its values."""


@dataclass(frozen=True)
class Prepared:
    """What prepare wrote."""

    folder: Path
    summary: dict[str, Any]

    @property
    def transform(self) -> Transform:
        return Transform.from_json((self.folder / "transform.json").read_text(encoding="utf-8"))

    def feature(self, name: str) -> Feature:
        return next(feature for feature in self.transform.features if feature.name == name)

    def table(self, name: str) -> Any:
        return pq.read_table(self.folder / f"{name}.parquet")

    def column(self, part: str, name: str) -> list[Any]:
        return list(self.table(part).column(name).to_pylist())


def write_snapshot(folder: Path, columns: Columns) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.table({name: pa.array(values, ARROW[kind]) for name, (kind, values) in columns.items()})
    pq.write_table(table, folder / "data.parquet")
    kinds = {name: {"type": kind} for name, (kind, _) in columns.items()}
    (folder / "ingest.json").write_text(json.dumps({"columns": kinds}), encoding="utf-8")
    return folder


def prepared_of(bench: Bench, model: Model, columns: Columns, name: str = "prepared") -> Prepared:
    snapshot = write_snapshot(bench.root / f"{name}-snapshot", columns)
    folder = bench.folder(name)
    return Prepared(folder, prepare(model, bench.home, snapshot, folder))
