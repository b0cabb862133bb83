# SPDX-License-Identifier: Apache-2.0
"""Categories by their frequency in the training part, counted by the engine."""

from pathlib import Path
from typing import Any

from components.prepare.engine import Engine
from components.prepare.split import VALIDATION, Parts
from components.prepare.windows import Rows
from kelp.parquet import write_parquet


def training_rows(engine: Engine, rows: Rows, parts: Parts, target: str, scratch: Path) -> Any:
    """The training part as an ibis.Table: by its time, or by a join with the parts."""
    import pyarrow as pa

    if parts.end_us is not None:
        is_known = [rows.cell(name).notnull() for name in (target, *rows.needed)]
        return rows.table.filter(rows.cell(rows.time) < parts.end_us, *is_known)
    path = scratch / "parts.parquet"
    codes = pa.record_batch([pa.array(parts.codes)], names=["code"])
    write_parquet([codes], codes.schema, path)
    table = engine.table(path, "parts")
    chosen = table.filter(table["c0"] <= VALIDATION).select("row")
    return rows.table.semi_join(chosen, "row")


def most_frequent(engine: Engine, training: Any, cell: str, most: int) -> list[Any]:
    """At most so many values by falling frequency, then in ascending order."""
    import ibis

    counts = training.group_by(value=training[cell]).agg(rows=lambda group: group.count())
    counts = counts.filter(counts["value"].notnull())
    ordered = counts.order_by([ibis.desc("rows"), ibis.asc("value")]).limit(most)
    return [row["value"] for row in engine.rows(ordered)]
