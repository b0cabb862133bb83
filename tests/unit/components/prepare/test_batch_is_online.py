# SPDX-License-Identifier: Apache-2.0
"""What prepare writes for a row is what the model server computes when that row is sent as a request."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kelp.frame.instances import instances_from_table
from kelp.frame.rows import columns_from_instances
from tests.unit.components.ingest.factories import a_bench, a_model
from tests.unit.components.prepare.snapshots import Columns, Prepared, prepared_of

ROWS = 40
FLOAT32 = 3.4028234663852886e38
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(-FLOAT32, FLOAT32, allow_nan=False, width=64),
    "bool": st.booleans(),
    "timestamp": st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)),
    "category": st.sampled_from(["a", "b", "ä, 'x'", "", "\0", "📏", "NA"]) | st.text(max_size=4),
    "string": st.text(max_size=4),
}
RULES: dict[str, Sequence[dict[str, Any]]] = {
    "int": [{}, {"missing": "mean"}, {"missing": "mode"}, {"missing": "constant", "fill": -7}, {"missing": "drop"}],
    "float": [{}, {"missing": "mean"}, {"missing": "median"}, {"missing": "constant", "fill": 0.1}],
    "bool": [{}, {"missing": "constant", "fill": True}],
    "timestamp": [{}],
    "category": [{}, {"missing": "mode"}, {"missing": "constant", "fill": "absent"}, {"missing": "other"}],
    "string": [{}, {"missing": "mode"}],
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[Columns, dict[str, dict[str, Any]]]:
    """A table with every type of column, and a declaration of each."""
    columns: dict[str, tuple[str, Sequence[Any]]] = {"label": ("category", ["yes", "no"] * (ROWS // 2))}
    declared = {}
    for kind, values in VALUES.items():
        cells = draw(st.lists(st.none() | values, min_size=ROWS, max_size=ROWS))
        columns[f"a {kind}"] = (kind, cells)
        declared[f"a {kind}"] = {"type": kind, "feature": True, **draw(st.sampled_from(RULES[kind]))}
    has_drop = declared["a int"].get("missing") == "drop"
    if has_drop:  # enough rows have to be left
        columns["a int"] = ("int", [cell if cell is not None else 0 for cell in columns["a int"][1][:-1]] + [None])
    return columns, declared


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(tables())
def test_every_test_row_sent_alone_gives_its_row_of_the_matrix(
    tmp_path_factory: Any, made: tuple[Columns, dict[str, dict[str, Any]]]
) -> None:
    columns, declared = made
    columns = {**columns, "whole": ("int", list(range(ROWS)))}  # always something to learn from
    root: Path = tmp_path_factory.mktemp("online")
    prepared = prepared_of(a_bench(root), a_model(columns=declared), columns)
    batch = matrix_of(prepared)
    instances = instances_from_table(prepared.transform, prepared.table("test_rows"))
    assert len(instances) == len(batch)
    for expected, instance in zip(batch, instances, strict=True):
        request = json.loads(json.dumps([instance]))
        online = prepared.transform.apply(columns_from_instances(prepared.transform, request))
        np.testing.assert_array_equal(online[0], expected)


def matrix_of(prepared: Prepared) -> Any:
    table = prepared.table("test")
    return np.stack([table.column(name).to_numpy() for name in prepared.summary["features"]], axis=1)
