# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from kelp.errors import DataError
from kelp.frame.arrow import columns_from_table
from kelp.frame.rows import columns_from_instances
from kelp.frame.transform import Feature, RawColumn, RawType, Transform

MOMENT = datetime(2024, 5, 1, 23, 59, 59, 999999, tzinfo=UTC)


def converted(column_type: RawType, cells: Any) -> list[Any]:
    unused = RawColumn(name="number", type="float", nullable=True)
    transform = Transform(
        task="regression",
        classes=(),
        columns=(RawColumn(name="x", type=column_type, nullable=True), unused),
        features=(Feature(name="number", column="number", kind="number", fill=0),),
    )
    table = pa.table({"x": cells, "number": pa.nulls(len(cells), pa.float64()), "other": pa.nulls(len(cells))})
    column = columns_from_table(transform, table)["x"]
    return [None if value != value else value for value in column.tolist()]


@pytest.mark.parametrize(
    ("column_type", "cells", "expected"),
    [
        pytest.param("float", pa.array([1.5, None, float("nan")]), [1.5, None, None], id="float"),
        pytest.param("float", pa.chunked_array([[1.5], [2.5, None]]), [1.5, 2.5, None], id="chunks"),
        pytest.param("float", pa.array([], pa.float64()), [], id="no-rows"),
        pytest.param("float", pa.array([Decimal("1.25"), None]), [1.25, None], id="decimal"),
        pytest.param("int", pa.array([1, None], pa.int8()), [1, None], id="int"),
        pytest.param("int", pa.array([2**63], pa.uint64()), [2.0**63], id="int-beyond-float64s-precision"),
        pytest.param("bool", pa.array([True, False, None]), [1, 0, None], id="bool"),
        pytest.param("string", pa.array(["a", None, ""], pa.large_string()), ["a", None, ""], id="large-string"),
        pytest.param("category", pa.array(["b", None, "b"]).dictionary_encode(), ["b", None, "b"], id="dictionary"),
        pytest.param(
            "timestamp", pa.array([MOMENT, None], pa.timestamp("us", "UTC")), [MOMENT.timestamp(), None], id="us"
        ),
        pytest.param("timestamp", pa.array([MOMENT, None], pa.timestamp("ns")), [MOMENT.timestamp(), None], id="ns"),
        pytest.param("timestamp", pa.array([-1, None], pa.timestamp("ns")), [-1e-6, None], id="ns-before-1970"),
        pytest.param("timestamp", pa.array([5, None], pa.timestamp("ms")), [0.005, None], id="ms"),
        pytest.param("timestamp", pa.array([5, None], pa.timestamp("s", "Asia/Tokyo")), [5, None], id="s-in-a-zone"),
        pytest.param("timestamp", pa.array([date(1970, 1, 2), None]), [86400, None], id="date"),
    ],
)
def test_arrow_types_become_raw_columns(column_type: RawType, cells: Any, expected: list[Any]) -> None:
    assert converted(column_type, cells) == expected


@pytest.mark.parametrize(
    ("column_type", "cells"),
    [
        pytest.param("float", pa.array(["1.5"]), id="strings-for-float"),
        pytest.param("category", pa.array([1]), id="ints-for-category"),
        pytest.param("timestamp", pa.array(["2024-05-01"]), id="strings-for-timestamp"),
        pytest.param("string", pa.array([b"a"]), id="bytes-for-string"),
        pytest.param("int", pa.array([[1]]), id="lists"),
        pytest.param("float", pa.nulls(1), id="nulls-without-a-type"),
    ],
)
def test_another_type_is_refused_by_name(column_type: RawType, cells: Any) -> None:
    with pytest.raises(DataError, match=f"column x: expected .* for a column of type {column_type}, found"):
        converted(column_type, cells)


def test_absent_column_is_named(payments: Transform) -> None:
    with pytest.raises(DataError, match="column amount: the column is absent"):
        columns_from_table(payments, pa.table({"other": [1]}))


def test_table_equals_the_same_rows_sent_as_instances(payments: Transform) -> None:
    rows: list[dict[str, Any]] = [
        {"amount": 0.1, "items": 2, "is_foreign": True, "merchant": "café", "at": MOMENT},
        {"amount": None, "items": 3, "is_foreign": None, "merchant": None, "at": None},
    ]
    table = pa.Table.from_pylist(rows)
    sent = [{**row, "at": row["at"] and MOMENT.isoformat()} for row in rows]
    np.testing.assert_array_equal(
        payments.apply(columns_from_table(payments, table)), payments.apply(columns_from_instances(payments, sent))
    )
