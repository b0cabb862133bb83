# SPDX-License-Identifier: Apache-2.0
"""What Parquet files may hold, alone and beside each other."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.components.ingest.factories import Bench, a_model

LABELS = ["yes", "no", "yes"]


def write(bench: Bench, name: str, **columns: Any) -> Path:
    path = bench.table / name
    pq.write_table(pa.table({"label": LABELS, **columns}), path)
    return path


def test_csv_and_parquet_of_the_same_rows_are_the_same_snapshot(bench: Bench) -> None:
    declared = {
        "count": {"type": "int"},
        "amount": {"type": "float"},
        "open": {"type": "bool"},
        "word": {"type": "category"},
        "at": {"type": "timestamp"},
        "code": {"type": "string"},
        "label": {"type": "category"},
    }
    times = [datetime(2024, 5, 1, 10, 0, 0, 125_000, tzinfo=UTC), None, datetime(1969, 12, 31, tzinfo=UTC)]
    pq.write_table(
        pa.table(
            {
                "count": pa.array([1, None, 2**53 + 1]),
                "amount": [0.1, float("nan"), -1e-300],
                "open": [True, False, None],
                "word": ["ä, b", None, "c"],
                "at": pa.array(times, pa.timestamp("us", "UTC")),
                "code": ["007", "x", None],
                "label": LABELS,
            }
        ),
        bench.table / "a.parquet",
    )
    bench.folder("data/other")
    (bench.table.parent / "other" / "a.csv").write_text(
        "count,amount,open,word,at,code,label\n"
        '1,0.1,true,"ä, b",2024-05-01T12:00:00.125+02:00,007,yes\n'
        ",NaN,FALSE,,,x,no\n"
        f"{2**53 + 1},-1e-300,,c,1969-12-31,,yes\n"
    )
    parquet = bench.ingest(a_model(columns=declared), "parquet")
    csv = bench.ingest(a_model(columns=declared), "csv", source="data://other")
    assert csv.rows == parquet.rows
    assert csv.summary["digest"] == parquet.summary["digest"]
    assert parquet.column("count") == [1, None, 2**53 + 1]


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        pytest.param(pa.array([1, 2, 1], pa.int8()), "int", [1, 2, 1], id="int8"),
        pytest.param(pa.array([0, 1, 1], pa.uint64()), "int", [0, 1, 1], id="uint64-of-0-and-1"),
        pytest.param(pa.array([1.0, None, 3.0]), "int", [1, None, 3], id="whole-doubles"),
        pytest.param(pa.array([1.5, None, 3.0], pa.float32()), "float", [1.5, None, 3.0], id="float32"),
        pytest.param(pa.array([Decimal("1.50"), None, Decimal("2.25")]), "float", [1.5, None, 2.25], id="decimal"),
        pytest.param(pa.array([True, None, False]), "bool", [True, None, False], id="bool"),
        pytest.param(
            pa.array([date(2024, 1, 2), None, date(2024, 1, 3)]),
            "timestamp",
            [datetime(2024, 1, 2), None, datetime(2024, 1, 3)],
            id="date",
        ),
        pytest.param(
            pa.array([1_700_000_000_000_000_001, None, 0], pa.timestamp("ns")),
            "timestamp",
            [datetime(2023, 11, 14, 22, 13, 20), None, datetime(1970, 1, 1)],
            id="nanoseconds",
        ),
        pytest.param(pa.array(["a", "b", "a"]).dictionary_encode(), "category", ["a", "b", "a"], id="dictionary"),
        pytest.param(pa.nulls(3), "category", [None, None, None], id="no-type"),
        pytest.param(
            pa.array([1_700_000_000, None, 0], pa.timestamp("s", "Europe/Berlin")),
            "timestamp",
            [datetime(2023, 11, 14, 22, 13, 20), None, datetime(1970, 1, 1)],
            id="time-zone",
        ),
        pytest.param(pa.array([b"a", None, b"b"]), "category", ["a", None, "b"], id="bytes"),
        pytest.param(pa.array([2**64 - 1, 0, 1], pa.uint64()), "float", [2.0**64, 0.0, 1.0], id="beyond-int64"),
    ],
)
def test_an_undeclared_column_gets_the_type_of_its_values(
    bench: Bench, values: Any, kind: str, expected: list[Any]
) -> None:
    write(bench, "a.parquet", x=values)
    snapshot = bench.ingest(a_model())
    assert snapshot.types["x"] == kind
    assert snapshot.column("x") == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param([1, 2, 3], [1.5, 2.5, 3.0], [1.0, 2.0, 3.0, 1.5, 2.5, 3.0], id="whole-then-fractions"),
        pytest.param(pa.nulls(3), [1, 2, 3], [None, None, None, 1, 2, 3], id="no-type-then-numbers"),
        pytest.param(["a", "b", None], pa.nulls(3), ["a", "b", None, None, None, None], id="text-then-no-type"),
    ],
)
def test_types_that_hold_each_other_are_widened(bench: Bench, first: Any, second: Any, expected: list[Any]) -> None:
    write(bench, "a.parquet", x=first)
    write(bench, "b.parquet", x=second)
    assert bench.ingest(a_model()).column("x") == expected


def test_a_column_of_another_kind_in_a_second_file_is_refused(bench: Bench) -> None:
    write(bench, "a.parquet", x=[1, 2, 3])
    write(bench, "b.parquet", x=["1", "2", "3"])
    error = bench.refusal(a_model())
    assert "expected BIGINT in column 'x' as in a.parquet, found VARCHAR" in error.message
    assert error.place == "b.parquet"


@pytest.mark.parametrize(
    ("columns", "said"),
    [pytest.param({}, "no column 'x'", id="missing"), pytest.param({"x": LABELS, "y": LABELS}, "'y'", id="new")],
)
def test_a_second_file_with_other_columns_is_refused_by_name(bench: Bench, columns: dict[str, Any], said: str) -> None:
    write(bench, "a.parquet", x=LABELS)
    write(bench, "b.parquet", **columns)
    error = bench.refusal(a_model())
    assert said in error.message
    assert error.place == "b.parquet"


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda content: content[:-20], id="footer-cut-off"),
        pytest.param(lambda content: content[20:], id="start-cut-off"),
        pytest.param(lambda content: b"label\nyes\n", id="csv-with-a-wrong-name"),
        pytest.param(lambda content: content[:4] + bytes(60) + content[64:], id="zeros-in-the-middle"),
    ],
)
def test_a_broken_file_is_refused_whole(bench: Bench, spoil: object) -> None:
    path = write(bench, "a.parquet", x=LABELS)
    assert callable(spoil)
    path.write_bytes(spoil(path.read_bytes()))
    error = bench.refusal(a_model())
    assert "cannot be read as parquet" in error.message
    assert error.place == "a.parquet"


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(pa.array([[1], None, [2, 3]]), id="lists"),
        pytest.param(pa.array([{"a": 1}, None, {"a": 2}]), id="structs"),
    ],
)
def test_nested_values_are_refused_by_column(bench: Bench, values: Any) -> None:
    write(bench, "a.parquet", **{"it's": values})
    error = bench.refusal(a_model())
    assert 'expected single values in column "it\'s", found ' in error.message
    assert error.place == "a.parquet"


def test_columns_named_like_those_of_a_scan_are_data(bench: Bench) -> None:
    write(bench, "a.parquet", file_row_number=[7, 8, 9], filename=LABELS, file_index=[1, 2, 3])
    assert bench.ingest(a_model()).column("file_row_number") == [7, 8, 9]


def test_a_name_twice_is_refused(bench: Bench) -> None:
    table = pa.Table.from_arrays([pa.array(LABELS), pa.array(LABELS)], names=["label", "label"])
    pq.write_table(table, bench.table / "a.parquet")
    assert "the name 'label' twice" in bench.refusal(a_model()).message


def test_a_folder_named_like_a_hive_partition_adds_no_column(bench: Bench) -> None:
    bench.folder("data/table/year=2024")
    write(bench, "year=2024/a.parquet", x=[1, 2, 3])
    assert list(bench.ingest(a_model(), source="data://table/year=2024").types) == ["label", "x"]


def test_rows_of_a_file_without_any_are_none(bench: Bench) -> None:
    path = write(bench, "a.parquet", x=[1, 2, 3])
    pq.write_table(pq.read_table(path).slice(0, 0), path)
    assert "found only column names" in bench.refusal(a_model()).message
