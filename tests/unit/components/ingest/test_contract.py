# SPDX-License-Identifier: Apache-2.0
"""Which cells fit a column's promise, which are missing, and what becomes of rows that break it."""

from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.components.ingest.factories import Bench, a_model, csv_of

REFUSED = object()


def value_of(bench: Bench, kind: str, cell: str) -> Any:
    """What a cell becomes in a column declared as `kind`; REFUSED if its row is quarantined."""
    bench.write("a.csv", f"x,label\n{cell},yes\n,no\n")
    snapshot = bench.ingest(a_model(columns={"x": {"type": kind}}, maxBadRows="50%"))
    if snapshot.quarantine:
        (row,) = snapshot.quarantine
        assert row["reason"] == f"x: expected {kind}, found {cell}"
        assert (row["file"], row["row"]) == ("a.csv", 1)
        return REFUSED
    return snapshot.column("x")[0]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        pytest.param("3", 3, id="whole"),
        pytest.param("-3.0", -3, id="whole-with-point"),
        pytest.param("3e2", 300, id="exponent"),
        pytest.param("3.7", REFUSED, id="fraction"),
        pytest.param("9007199254740993", 9007199254740993, id="beyond-a-double"),
        pytest.param("9223372036854775808", REFUSED, id="beyond-int64"),
        pytest.param("three", REFUSED, id="word"),
        pytest.param("inf", REFUSED, id="infinite"),
        pytest.param("NA", None, id="missing"),
    ],
)
def test_int(bench: Bench, cell: str, expected: Any) -> None:
    assert value_of(bench, "int", cell) == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        pytest.param("0.1", 0.1, id="fraction"),
        pytest.param("-1e30", -1e30, id="exponent"),
        pytest.param("inf", REFUSED, id="infinite"),
        pytest.param("-Infinity", REFUSED, id="minus-infinite"),
        pytest.param("1e39", REFUSED, id="beyond-float32"),
        pytest.param("1e999", REFUSED, id="beyond-float64"),
        pytest.param("$5", REFUSED, id="currency"),
        pytest.param("NaN", None, id="nan"),
        pytest.param("nan", None, id="nan-lower"),
        pytest.param("null", None, id="null"),
        pytest.param("None", None, id="none"),
    ],
)
def test_float(bench: Bench, cell: str, expected: Any) -> None:
    assert value_of(bench, "float", cell) == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        *(pytest.param(cell, True, id=cell) for cell in ("true", "True", "TRUE", "t", "1", "1.0")),
        *(pytest.param(cell, False, id=cell) for cell in ("false", "False", "F", "0", "0.0")),
        *(pytest.param(cell, REFUSED, id=cell) for cell in ("yes", "no", "on", "2", "-1")),
    ],
)
def test_bool(bench: Bench, cell: str, expected: Any) -> None:
    assert value_of(bench, "bool", cell) is expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        pytest.param("2024-05-01", datetime(2024, 5, 1), id="date"),
        pytest.param("2024-05-01T10:00:00", datetime(2024, 5, 1, 10), id="no-offset-is-utc"),
        pytest.param("2024-05-01 10:00:00Z", datetime(2024, 5, 1, 10), id="utc"),
        pytest.param("2024-05-01T10:00:00.123456+05:30", datetime(2024, 5, 1, 4, 30, 0, 123456), id="offset"),
        pytest.param("2024-05-01T01:00:00+02", datetime(2024, 4, 30, 23), id="short-offset"),
        pytest.param("0001-01-01", datetime(1, 1, 1), id="first"),
        pytest.param("9999-12-31 23:59:59.999999", datetime(9999, 12, 31, 23, 59, 59, 999999), id="last"),
        pytest.param("0000-12-31", REFUSED, id="before-the-year-1"),
        pytest.param("10000-01-01", REFUSED, id="after-the-year-9999"),
        pytest.param("infinity", REFUSED, id="infinite"),
        pytest.param("2024-02-30", REFUSED, id="no-such-day"),
        pytest.param("01/05/2024", REFUSED, id="ambiguous"),
        pytest.param("1714550400", REFUSED, id="number"),
    ],
)
def test_timestamp(bench: Bench, cell: str, expected: Any) -> None:
    assert value_of(bench, "timestamp", cell) == expected


@pytest.mark.parametrize("kind", ["category", "string", "text"])
def test_every_text_fits_a_text_column(bench: Bench, kind: str) -> None:
    assert value_of(bench, kind, "'; DROP TABLE raw; --") == "'; DROP TABLE raw; --"


def test_nan_and_infinity_of_parquet_are_missing_and_refused(bench: Bench) -> None:
    values = [1.5] * 98 + [float("nan"), float("inf")]
    pq.write_table(pa.table({"x": values, "label": ["yes", "no"] * 50}), bench.table / "a.parquet")
    snapshot = bench.ingest(a_model(columns={"x": {"type": "float"}}))
    assert snapshot.column("x") == [1.5] * 98 + [None]
    assert [(row["row"], row["reason"]) for row in snapshot.quarantine] == [(100, "x: expected float, found inf")]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        pytest.param("-0.5", "x: expected a number >= 0, found -0.5", id="below"),
        pytest.param("1.5", "x: expected a number <= 1, found 1.5", id="above"),
        pytest.param("0", "", id="least"),
        pytest.param("1", "", id="greatest"),
        pytest.param("", "", id="missing"),
    ],
)
def test_limits_are_inclusive(bench: Bench, cell: str, reason: str) -> None:
    bench.write("a.csv", f"x,label\n{cell},yes\n0.5,no\n")
    snapshot = bench.ingest(a_model(columns={"x": {"type": "float", "min": 0, "max": 1}}, maxBadRows="50%"))
    assert [row["reason"] for row in snapshot.quarantine] == ([reason] if reason else [])
    assert snapshot.summary["reasons"] == ({reason.split(", found", maxsplit=1)[0]: 1} if reason else {})


@pytest.mark.parametrize("name", ["label", "key", "at"])
def test_target_id_and_time_must_be_there(bench: Bench, name: str) -> None:
    cells = {"label": "yes", "key": "k1", "at": "2024-05-01"} | {name: ""}
    bench.write("a.csv", csv_of([list(cells), list(cells.values()), ["no", "k2", "2024-05-02"]]))
    model = a_model(id="key", time="at", maxBadRows="50%")
    assert [row["reason"] for row in bench.ingest(model).quarantine] == [f"{name}: expected a value, found nothing"]


def test_a_quarantined_row_is_kept_as_it_was(bench: Bench) -> None:
    bench.write("a.csv", 'x,"it\'s ""x""",label\n oops ,"a\nb",yes\n1,,no\n')
    snapshot = bench.ingest(a_model(columns={"x": {"type": "int"}}, maxBadRows="50%"))
    (row,) = snapshot.quarantine
    assert row["content"] == r'{"x":" oops ","it' + r"""'s \"x\"":"a\nb","label":"yes"}"""


def test_a_private_value_is_not_quoted_in_a_reason(bench: Bench) -> None:
    bench.write("a.csv", "born,label\nada@example.org,yes\n1980,no\n")
    columns = {"born": {"type": "int", "privacy": "drop"}}
    error = bench.refusal(a_model(columns=columns))
    assert "born: expected int, found a value that is private" in error.message
    assert "ada" not in str(error)


def test_a_long_value_is_cut_in_a_reason(bench: Bench) -> None:
    bench.write("a.csv", f"x,label\n{'9' * 5000}x,yes\n1,no\n")
    assert len(bench.refusal(a_model(columns={"x": {"type": "int"}})).message) < 300


def test_one_bad_cell_far_into_a_large_file_is_named_or_quarantined(bench: Bench) -> None:
    lines = [f"{number},{'yes' if number % 3 else 'no'}\n" for number in range(1, 750_001)]
    lines[700_000] = "1200 EUR,yes\n"
    bench.write("big.csv", "amount,label\n" + "".join(lines))
    columns = {"amount": {"type": "float"}}
    error = bench.refusal(a_model(columns=columns, maxBadRows="0%"))
    found = "big.csv, row 700001: amount: expected float, found 1200 EUR"
    assert error.message == f"expected at most 0% bad rows, found 1 of 750000; first: {found}"
    snapshot = bench.ingest(a_model(columns=columns, maxBadRows="1%"))
    assert snapshot.summary["rows"] == 749_999
    assert snapshot.quarantine == [
        {
            "file": "big.csv",
            "row": 700_001,
            "reason": "amount: expected float, found 1200 EUR",
            "content": '{"amount":"1200 EUR","label":"yes"}',
        }
    ]
    kept = pq.read_table(snapshot.folder / "data.parquet", columns=["amount"]).column("amount").to_numpy()
    assert (kept[:700_000] == range(1, 700_001)).all()
    assert (kept[700_000:] == range(700_002, 750_001)).all()


def test_more_bad_rows_than_allowed_stop_the_run(bench: Bench) -> None:
    bench.write("a.csv", "x,label\n" + "1,yes\n2,no\n" * 49 + "bad,yes\nworse,no\n")
    error = bench.refusal(a_model(columns={"x": {"type": "int"}}, maxBadRows="1%"))
    assert "expected at most 1% bad rows, found 2 of 100; first: a.csv, row 99: x: expected int, found bad" in (
        error.message
    )
    assert "maxBadRows" in error.fix
    assert bench.ingest(a_model(columns={"x": {"type": "int"}}, maxBadRows="2%")).summary["quarantined"] == 2


@pytest.mark.parametrize("allowed", ["1%", "100%"])
def test_rows_that_are_all_bad_stop_the_run(bench: Bench, allowed: str) -> None:
    bench.write("a.csv", "x,label\nbad,yes\nworse,no\n")
    assert "found 2 of 2" in bench.refusal(a_model(columns={"x": {"type": "int"}}, maxBadRows=allowed)).message


def test_the_first_bad_row_is_that_of_the_first_file(bench: Bench) -> None:
    bench.write("b.csv", "x,label\nbad,yes\n")
    bench.write("a.csv", "x,label\n1,yes\nworse,no\n")
    assert "first: a.csv, row 2: " in bench.refusal(a_model(columns={"x": {"type": "int"}})).message


def test_an_id_that_stands_twice_is_refused_with_both_places(bench: Bench) -> None:
    bench.write("a.csv", "key,label\nk1,yes\nk2,no\nk3,no\n")
    bench.write("b.csv", "key,label\nk4,no\nk2,yes\nk2,yes\n")
    error = bench.refusal(a_model(id="key"))
    assert error.message == "expected a different 'key' in every row, found that of row 2 again in b.csv, row 2"
    assert error.place == "a.csv, row 2"
