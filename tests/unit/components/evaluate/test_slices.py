# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from components.evaluate.holdout import read_holdout
from components.evaluate.slices import slices_of
from kelp.frame.transform import Feature, RawColumn, Transform

AProblem = Callable[..., Any]
HALF = "half of the values missing, or more"
UNKNOWN = "a category outside the known ones"


def with_kind(prepared: Path, kinds: list[str | None]) -> None:
    """Give the first numeric column of the rows another type: a category of which training knew `a` and `b`."""
    transform = Transform.from_json((prepared / "transform.json").read_text())
    first = transform.features[0].name
    feature = Feature(name=first, column=first, kind="category", categories=("a", "b"))
    column = RawColumn(name=first, type="category", nullable=True)
    changed = transform.model_copy(
        update={"features": (feature, *transform.features[1:]), "columns": (column, *transform.columns[1:])}
    )
    (prepared / "transform.json").write_text(changed.to_json())
    codes = {"a": 1.0, "b": 2.0}
    for name, values in (
        ("test_rows", pa.array(kinds, pa.string())),
        ("test", pa.array([codes.get(kind or "", 0.0) for kind in kinds], pa.float32())),
        ("train", pa.array([1.0] * 1_200, pa.float32())),
    ):
        table = pq.read_table(prepared / f"{name}.parquet")
        pq.write_table(table.set_column(0, first, values), prepared / f"{name}.parquet")


def test_slices_count_what_is_missing_and_what_is_unknown(a_problem: AProblem) -> None:
    written = a_problem()
    with_kind(written.prepared, ["a"] * 600 + ["new"] * 100 + [None] * 100)
    found = {name: int(rows.sum()) for name, rows in slices_of(read_holdout(written.prepared)).items()}
    assert found == {"no value missing": 700, "a value missing": 100, HALF: 0, UNKNOWN: 100}


def test_a_row_with_half_of_its_values_is_in_two_slices(a_problem: AProblem) -> None:
    written = a_problem()
    path = written.prepared / "test_rows.parquet"
    rows = pq.read_table(path)
    for position in (0, 1):
        values = pa.array([None] * 40 + [1.0] * 760, pa.float64())
        rows = rows.set_column(position, rows.column_names[position], values)
    pq.write_table(rows, path)
    found = slices_of(read_holdout(written.prepared))
    assert (found["a value missing"].sum(), found[HALF].sum()) == (40, 40)


def test_only_slices_of_thirty_rows_are_judged_and_shown(a_problem: AProblem, tmp_path: Path) -> None:
    written = a_problem()
    with_kind(written.prepared, ["a"] * 700 + ["new"] * 29 + [None] * 71)
    found = written.evaluate(tmp_path / "evaluation").document["slices"]
    assert [(part["slice"], part["rows"]) for part in found] == [("no value missing", 729), ("a value missing", 71)]
    assert found[1]["metrics"]["accuracy"]["low"] is not None
    assert "a value missing" in (tmp_path / "evaluation" / "report.html").read_text()
