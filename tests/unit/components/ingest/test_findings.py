# SPDX-License-Identifier: Apache-2.0
"""What ingest says about a source that is odd without being wrong."""

import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from components.ingest import Around, ingest, ingest_at
from kelp.errors import DataError
from kelp.spec import Model
from tests.unit.components.ingest.factories import Bench, a_model, csv_of

NOW = datetime(2024, 6, 1, tzinfo=UTC)
SERIES = {"key": ["shop"], "frequency": "1d", "horizon": "7d"}


def summary(bench: Bench, model: Model, **around: Any) -> dict[str, Any]:
    return ingest_at(model, bench.home, "", bench.folder("snapshot"), Around(now=NOW, **around))


def a_forecast(**data: Any) -> Model:
    return a_model(task="forecast", time="at", series=SERIES, **data)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        pytest.param(["", "", ""] * 10, "column x has no values", id="all-missing"),
        pytest.param(["a", "a", "a"] * 10, "column x has the same value in every row", id="constant"),
        pytest.param(
            ["2024-01-01T10:00:00Z", "2024-01-01T10:00:00+02:00", "2024-01-01"] * 10,
            "column x mixes time zones (+0000, +0200); its values were converted to UTC",
            id="mixed-time-zones",
        ),
        pytest.param(
            [str(number) for number in range(20)] + ["many"] * 10,
            "column x changes from numbers to texts at a.csv, row 21; it is string",
            id="type-change-half-way",
        ),
    ],
)
def test_an_odd_column_is_a_warning(
    bench: Bench, caplog: pytest.LogCaptureFixture, cells: list[str], expected: str
) -> None:
    rows = [[number, cell, "xy"[number % 2]] for number, cell in enumerate(cells)]
    bench.write("a.csv", csv_of([["key", "x", "label"], *rows]))
    with caplog.at_level(logging.WARNING, "components"):
        assert summary(bench, a_model(id="key"))["warnings"] == [expected]
    assert expected in [record.getMessage() for record in caplog.records]


def test_the_place_of_a_change_counts_through_the_files(bench: Bench) -> None:
    for name, cell in (("a.csv", "1"), ("b.csv", "many")):
        bench.write(
            name, csv_of([["key", "x", "label"], *([f"{name}{row}", cell, "xy"[row % 2]] for row in range(15))])
        )
    bench.write("c.csv", "key,x,label\nc,many,x\n")
    assert summary(bench, a_model(id="key"))["warnings"] == []  # 15 rows of 31 are numbers
    (bench.table / "c.csv").unlink()
    bench.write("a0.csv", "key,x,label\nc,1,x\n")
    found = ingest_at(a_model(id="key"), bench.home, "", bench.folder("again"), Around(now=NOW))["warnings"]
    assert found == ["column x changes from numbers to texts at b.csv, row 1; it is category"]


def test_more_than_ten_thousand_categories_are_a_warning(bench: Bench) -> None:
    bench.write("a.csv", csv_of([["x", "label"], *([f"c{number}", number % 2] for number in range(10_001))]))
    found = summary(bench, a_model(columns={"x": {"type": "category"}}))["warnings"]
    assert found == ["column x has 10,001 categories; is it an id or a text?"]


def test_copies_of_rows_are_counted(bench: Bench) -> None:
    bench.write("a.csv", "x,label\n1,a\n1,a\n1,a\n1,b\n,b\n,b\n")
    assert summary(bench, a_model())["warnings"] == ["3 rows are copies of another row"]


@pytest.mark.parametrize(
    ("columns", "is_warned"),
    [
        pytest.param({}, True, id="undeclared"),
        pytest.param({"paid": {"type": "timestamp", "feature": True}}, True, id="feature"),
        pytest.param({"paid": {"type": "timestamp", "feature": False}}, False, id="no-feature"),
        pytest.param({"paid": {"type": "timestamp", "privacy": "drop"}}, False, id="dropped"),
    ],
)
def test_a_time_after_that_of_its_row_is_a_warning(bench: Bench, columns: dict[str, Any], is_warned: bool) -> None:
    bench.write(
        "a.csv", "at,paid,label\n2024-05-01,2024-05-02,x\n2024-05-02,2024-05-02,y\n2024-05-03,,y\n2024-05-04,,x\n"
    )
    found = summary(bench, a_model(time="at", columns=columns))["warnings"]
    assert [text.partition(":")[0] for text in found if "lies after" in text] == (
        ["column paid lies after at in 25% of the rows"] if is_warned else []
    )


def test_rows_of_the_future_are_a_warning_except_in_a_forecast(bench: Bench) -> None:
    bench.write("a.csv", "at,shop,label\n2024-05-01,a,1\n2024-06-02,b,2\n2024-06-03,b,2.5\n")
    assert summary(bench, a_model(time="at"))["warnings"] == ["2 rows have a at after now (2024-06-01 00:00 UTC)"]
    assert ingest_at(a_forecast(), bench.home, "", bench.folder("again"), Around(now=NOW))["warnings"] == []


def test_a_forecast_may_miss_targets_of_rows_to_come(bench: Bench) -> None:
    bench.write("a.csv", "at,shop,label\n2024-05-01,1,1\n2024-05-02,1,\n2024-05-01,2,3\n")
    found = summary(bench, a_forecast())
    assert (found["rows"], found["quarantined"]) == (3, 0)
    assert {name: column["type"] for name, column in found["columns"].items()} == {
        "at": "timestamp",
        "shop": "category",
        "label": "float",
    }


def test_a_forecast_needs_its_keys(bench: Bench) -> None:
    bench.write("a.csv", "at,shop,label\n2024-05-01,1,1\n2024-05-02,,2\n")
    assert summary(bench, a_forecast(maxBadRows="50%"))["reasons"] == {"shop: expected a value": 1}


def test_two_rows_of_one_series_and_time_are_refused(bench: Bench) -> None:
    bench.write("a.csv", "at,shop,label\n2024-05-01,1,1\n2024-05-01,2,2\n")
    bench.write("b.csv", "at,shop,label\n2024-05-02,1,1\n2024-05-01T00:00:00Z,2,2\n")
    with pytest.raises(DataError, match=r"found that of row 2 again in b\.csv, row 2") as caught:
        summary(bench, a_forecast())
    assert caught.value.place == "a.csv, row 2"
    assert "'at' and 'shop'" in caught.value.message or "'shop' and 'at'" in caught.value.message


def test_the_longest_text_is_the_text_of_a_text_task(bench: Bench) -> None:
    rows = [[f"word {n}", f"a much longer text {n}", "xy"[n % 2], n] for n in range(40)]
    bench.write("a.csv", csv_of([["title", "body", "label", "n"], *rows]))
    found = summary(bench, a_model(task="text"))["columns"]
    assert {name: column["type"] for name, column in found.items()} == {
        "title": "string", "body": "text", "label": "category", "n": "int"
    }  # fmt: skip


def test_a_declared_text_stays_text(bench: Bench) -> None:
    bench.write("a.csv", "title,body,label\nshort,much longer,x\n")
    found = summary(bench, a_model(task="text", columns={"title": {"type": "text"}}))["columns"]
    assert (found["title"]["type"], found["body"]["type"]) == ("text", "category")


def test_what_differs_from_the_champions_source_is_said(bench: Bench) -> None:
    bench.write("a.csv", "amount,z,new,label\nmany,,1,x\nfew,,2,y\n")
    columns = {
        name: {"type": kind, "missing": 0, "distinct": 2}
        for name, kind in {"amount": "float", "z": "category", "old": "int", "label": "category"}.items()
    }
    found = summary(bench, a_model(), champion={"rows": 100, "columns": columns})
    assert found["drift"] == [
        "column old is gone",
        "column new is new",
        "column amount: was float, is category",
        "column z: missing 0% -> 100%",
    ]


def test_progress_is_told_for_every_file_up_to_the_last_row(bench: Bench) -> None:
    for name in ("a.csv", "b.csv"):
        bench.write(name, "x,label\n1,a\n2,b\n")
    told: list[tuple[int, int | None]] = []
    ingest(a_model(), bench.home, "", bench.folder("snapshot"), progress=lambda done, total: told.append((done, total)))
    assert told[:2] == [(2, None), (4, None)]
    assert told[-1] == (4, 4)
