# SPDX-License-Identifier: Apache-2.0
"""Columns: their names, which of them must be there, and what type an undeclared one gets."""

from collections.abc import Sequence

import pyarrow.parquet as pq
import pytest

from tests.unit.components.ingest.factories import Bench, a_model, csv_of, json_of

HOSTILE = (
    "it's",
    'say "hi"',
    "two words",
    "x); DROP TABLE raw; --",
    "'; ATTACH '/tmp/evil.db'; --",
    "größe 📏",
    "_row",
    "_file",
    "_reason",
    "c0",
    "v0",
    "Amount",
    "amount",
    "a, found b",
    "new\nline",
    "a.b[0]",
    "%s {0} $1 ?",
    "SELECT",
)


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def test_names_and_values_are_data_and_never_sql(bench: Bench) -> None:
    names = [*HOSTILE, "label"]
    rows = [[*(f"{word} {name}" for name in HOSTILE), word] for word in ("yes", "no")]
    bench.write("it's; --.csv", csv_of([[quoted(cell) for cell in row] for row in [names, *rows]]))
    snapshot = bench.ingest(a_model(columns={name: {"type": "category"} for name in HOSTILE}))
    assert snapshot.rows == [dict(zip(names, row, strict=True)) for row in rows]
    assert list(snapshot.types) == names
    assert pq.read_schema(snapshot.folder / "data.parquet").names == names


def test_bad_cells_under_hostile_names_are_reported(bench: Bench) -> None:
    bench.write("a'; --.csv", csv_of([[quoted(cell) for cell in [*HOSTILE, "label"]], [*(["'x"] * 18), "yes"]]))
    columns = {name: {"type": "int", "min": 0} for name in HOSTILE}
    error = bench.refusal(a_model(columns=columns))
    assert "first: a'; --.csv, row 1: it's: expected int, found 'x" in error.message


def test_a_hostile_name_can_be_the_id(bench: Bench) -> None:
    bench.write("a.csv", f"{quoted(HOSTILE[3])},label\n1,yes\n1,no\n")
    assert "in every row" in bench.refusal(a_model(id=HOSTILE[3])).message


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        pytest.param(["1", "2", "", "NA"], "int", id="whole-numbers"),
        pytest.param(["1", "2.5", ""], "float", id="fractions"),
        pytest.param(["0", "1", "1"], "int", id="zeros-and-ones"),
        pytest.param(["true", "False", ""], "bool", id="bools"),
        pytest.param(["2024-05-01", "2024-05-01T10:00:00Z"], "timestamp", id="times"),
        pytest.param(["a", "b"] * 10, "category", id="few-words"),
        pytest.param([f"word {number}" for number in range(40)], "string", id="many-words"),
        pytest.param(["", "NA", "null"], "category", id="nothing"),
        pytest.param([str(number) for number in range(400)] + ["oops"], "int", id="one-bad-in-400"),
        pytest.param([str(number) for number in range(50)] + ["oops"], "string", id="one-bad-in-50"),
        pytest.param([str(number) for number in range(400)] + ["0.5"], "float", id="one-fraction-in-400"),
    ],
)
def test_an_undeclared_column_gets_the_narrowest_type(bench: Bench, cells: Sequence[str], kind: str) -> None:
    bench.write("a.csv", csv_of([["x", "label"], *([cell, "yes"] for cell in cells)]))
    snapshot = bench.ingest(a_model())
    assert snapshot.types["x"] == kind
    assert snapshot.summary["quarantined"] == (1 if "oops" in cells and kind == "int" else 0)


def test_roles_have_types_of_their_own(bench: Bench) -> None:
    bench.write("a.csv", "key,at,who,label\n1,2024-05-01,7,0\n2,2024-05-02,7,1\n")
    model = a_model(id="key", time="at", entity="who")
    assert bench.ingest(model).types == {"key": "string", "at": "timestamp", "who": "string", "label": "category"}


def test_the_target_of_a_regression_is_a_number(bench: Bench) -> None:
    bench.write("a.csv", "x,label\n1,0\n2,1\n")
    assert bench.ingest(a_model(task="regression")).types["label"] == "float"


def test_ten_thousand_categories_are_kept(bench: Bench) -> None:
    bench.write("a.csv", csv_of([["x", "label"], *([f"c{number}", number % 2] for number in range(10_000))]))
    snapshot = bench.ingest(a_model(columns={"x": {"type": "category"}}))
    assert snapshot.summary["columns"]["x"] == {"type": "category", "missing": 0, "distinct": 10_000}


def test_missing_and_distinct_values_are_counted_among_good_rows(bench: Bench) -> None:
    bench.write("a.csv", "x,y,label\n1,a,yes\n1,,no\n,b,no\n2,c,\n")
    snapshot = bench.ingest(a_model(maxBadRows="25%"))
    assert snapshot.summary["columns"]["x"] == {"type": "int", "missing": 1, "distinct": 1}
    assert snapshot.summary["columns"]["y"]["missing"] == 1


@pytest.mark.parametrize(
    ("declare", "name"),
    [
        pytest.param({"target": "gone"}, "gone", id="target"),
        pytest.param({"id": "gone"}, "gone", id="id"),
        pytest.param({"time": "gone"}, "gone", id="time"),
        pytest.param({"entity": "gone"}, "gone", id="entity"),
        pytest.param({"columns": {"gone": {"type": "int"}}}, "gone", id="declared"),
        pytest.param({"legacy": "gone"}, "gone", id="legacy"),
        pytest.param({"columns": {"Label": {"type": "category"}}}, "Label", id="other-case"),
    ],
)
def test_a_column_that_the_spec_names_must_be_there(bench: Bench, declare: dict[str, object], name: str) -> None:
    bench.write("a.csv", "x,label\n1,yes\n2,no\n")
    error = bench.refusal(a_model(**declare))  # type: ignore[arg-type]  # each case is one keyword of a_model
    assert error.message == f"expected a column {name!r}, found x, label"
    assert error.place == "data://table"


def test_closed_columns_refuse_an_undeclared_one(bench: Bench) -> None:
    bench.write("a.csv", "x,extra,label\n1,2,yes\n2,3,no\n")
    declared = {"x": {"type": "int"}, "label": {"type": "category"}}
    assert "found 'extra'" in bench.refusal(a_model(columns=declared, columnsClosed=True)).message
    more = declared | {"extra": {"type": "int"}}
    assert bench.ingest(a_model(columns=more, columnsClosed=True)).types["extra"] == "int"


def test_an_id_that_differs_only_in_a_bad_row_is_no_duplicate(bench: Bench) -> None:
    bench.write("a.csv", "key,label\nk1,yes\nk1,\nk2,no\n")
    assert bench.ingest(a_model(id="key", maxBadRows="50%")).column("key") == ["k1", "k2"]


def test_the_summary_is_what_ingest_json_says(bench: Bench) -> None:
    path = bench.write("a.csv", "größe,label\n1,yes\n2,no\n")
    snapshot = bench.ingest(a_model())
    assert json_of(snapshot.folder / "ingest.json") | {"reused": 0} == snapshot.summary
    assert snapshot.summary["source"] == "data://table"
    assert snapshot.summary["declared"] is False
    (file,) = snapshot.summary["files"]
    assert file["path"] == path.name
    kept = bench.root / ".kelp" / "store" / "snapshots" / f"{snapshot.summary['digest']}.parquet"
    assert kept.read_bytes() == (snapshot.folder / "data.parquet").read_bytes()


def test_a_source_given_for_one_run_is_read_instead(bench: Bench) -> None:
    bench.folder("data/other")
    (bench.table.parent / "other" / "a.csv").write_text("x,label\n5,yes\n6,no\n")
    snapshot = bench.ingest(a_model(), source="data://other/a.csv")
    assert snapshot.column("x") == [5, 6]
    assert snapshot.summary["source"] == "data://other/a.csv"


def test_one_row_is_a_snapshot(bench: Bench) -> None:
    bench.write("a.csv", "x,label\n5,yes\n")
    assert bench.ingest(a_model()).rows == [{"x": 5, "label": "yes"}]


def test_the_same_rows_give_the_same_digest(bench: Bench) -> None:
    bench.write("a.csv", csv_of([["x", "label"], *([number / 7, number % 2] for number in range(5_000))]))
    first, second = bench.ingest(a_model(), "first"), bench.ingest(a_model(), "second")
    assert (first.folder / "ingest.json").read_bytes() == (second.folder / "ingest.json").read_bytes()
