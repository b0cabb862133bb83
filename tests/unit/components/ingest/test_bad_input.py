# SPDX-License-Identifier: Apache-2.0
"""What real files get wrong: each is read, set aside or refused with its place, and nothing is lost without a word."""

from collections.abc import Callable

import pytest

from tests.unit.components.ingest.factories import Bench, a_model, csv_of

GOOD = b"1,x\n2,y\n" * 50


@pytest.mark.parametrize(
    ("content", "said", "place"),
    [
        pytest.param(b"", "the file is empty", "a.csv", id="empty"),
        pytest.param(b"n,label\n", "found only column names", "data://table", id="header-only"),
        pytest.param(b"n,n,label\n1,1,x\n", "the name 'n' twice", "a.csv", id="duplicated-header"),
        pytest.param(b"n,label\n" + GOOD + b"3,\0\n", "found a NUL byte", "a.csv, line 102", id="nul"),
        pytest.param(b'n,label\n1,"x\n' + GOOD, "rows would be lost", "a.csv, line 2", id="unterminated-quote"),
        pytest.param(
            b'n,label\n1,"x\n' + GOOD + b'3,y",z\n', "rows would be lost", "a.csv, line 2", id="quote-closed-too-late"
        ),
        pytest.param(
            b"sep=;\r\nn;label\n1;x\n", "one kind of line ends", "a.csv, line 2", id="mixed-line-ends-of-excel"
        ),
        pytest.param(b"n,label\r\n1,x\n2,y\n", "cannot be read as csv", "a.csv", id="mixed-line-ends"),
        pytest.param(
            b'n,label\n1,"a\nb"\n2,"x\n' + GOOD,
            "rows would be lost",
            "a.csv, line 3",
            id="quote-after-a-newline-in-a-cell",
        ),
        pytest.param(b'"n\r\n",label\n1,x\n', "one kind of line ends", "a.csv", id="mixed-line-ends-in-the-header"),
        pytest.param(b"n,label\n1\n2,x,y\n", "found 2 of 2; first: a.csv, line 2", "data://table", id="all-ragged"),
    ],
)
def test_a_file_is_refused_with_its_place(bench: Bench, content: bytes, said: str, place: str) -> None:
    bench.write("a.csv", content)
    error = bench.refusal(a_model())
    assert said in error.message
    assert error.place == place


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        pytest.param(GOOD + b"3\n", 102, "missing columns", id="too-short"),
        pytest.param(GOOD + b"3,x,y\n", 102, "too many columns", id="too-long"),
        pytest.param(b'1,"a\nb"\n' + GOOD + b"3\n", 103, "missing columns", id="after-a-newline-in-a-cell"),
        pytest.param("1,ä\n".encode() + GOOD + b"3,\xe4\n", 103, "invalid encoding", id="mixed-encodings"),
    ],
)
def test_a_broken_line_is_set_aside(bench: Bench, content: bytes, line: int, reason: str) -> None:
    bench.write("a.csv", b"n,label\n" + content)
    (row,) = bench.ingest(a_model()).quarantine
    assert (row["row"], row["reason"]) == (line, reason)


def test_cells_of_megabytes_are_kept(bench: Bench) -> None:
    texts = ["a" * 1_000_000, "ä " * 1_500_000 + "b"]
    bench.write("a.csv", csv_of([["words", "label"], [texts[0], "x"], [texts[1], "y"]]))
    assert bench.ingest(a_model(columns={"words": {"type": "text"}})).column("words") == texts


def test_two_thousand_columns_are_read(bench: Bench) -> None:
    names = [f"x{number}" for number in range(2_000)]
    bench.write("a.csv", csv_of([[*names, "label"], *([*range(row, row + 2_000), "y"] for row in range(20))]))
    snapshot = bench.ingest(a_model())
    assert set(snapshot.types.values()) == {"int", "category"}
    assert snapshot.rows[3]["x1999"] == 2_002


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("n" * 10_000, id="very-long"),
        pytest.param("a' OR 1=1; --", id="sql"),
        pytest.param("数\u202e量\U0001f4cf", id="unicode"),
        pytest.param('""', id="quotes"),
        pytest.param("a\nb", id="newline"),
    ],
)
def test_a_hostile_name_is_only_a_name(bench: Bench, name: str) -> None:
    cell = '"' + name.replace('"', '""') + '"'
    bench.write("a.csv", f"{cell},label\n1,x\n2,y\n")
    assert bench.ingest(a_model()).column(name) == [1, 2]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(lambda bench: bench.write("a.parquet", b"PAR1"), "found csv and parquet", id="mixed-formats"),
        pytest.param(
            lambda bench: (bench.table / "b.csv").symlink_to("/proc/self/mem"), "cannot be read", id="unreadable"
        ),
        pytest.param(lambda bench: (bench.table / "a.csv").unlink(), "no Parquet or CSV file", id="nothing-matches"),
    ],
)
def test_a_folder_is_refused(bench: Bench, spoil: Callable[[Bench], object], said: str) -> None:
    bench.write("a.csv", "n,label\n1,x\n")
    spoil(bench)
    assert said in bench.refusal(a_model()).message
