# SPDX-License-Identifier: Apache-2.0
"""What CSV files may look like, and what is said about those that are none."""

import gzip

import pytest

from tests.unit.components.ingest.factories import Bench, a_model

ROWS = "amount,word,label\n1.5,a,yes\n2.5,b,no\n"
COLUMNS = {"amount": {"type": "float"}, "word": {"type": "category"}, "label": {"type": "category"}}
EXPECTED = [{"amount": 1.5, "word": "a", "label": "yes"}, {"amount": 2.5, "word": "b", "label": "no"}]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(ROWS, id="plain"),
        pytest.param("\ufeff" + ROWS, id="byte-order-mark"),
        pytest.param(ROWS.replace(",", ";"), id="semicolons"),
        pytest.param(ROWS.replace(",", "\t"), id="tabs"),
        pytest.param(ROWS.replace(",", "|"), id="bars"),
        pytest.param(ROWS.replace("\n", "\r\n"), id="crlf"),
        pytest.param(ROWS.rstrip("\n"), id="no-last-newline"),
        pytest.param(ROWS.replace("2.5", "\n2.5"), id="empty-line"),
        pytest.param(ROWS.replace("a,yes", '"a","yes"'), id="quotes"),
        pytest.param(ROWS.replace("1.5,a", " 1.5 , a "), id="spaces"),
    ],
)
def test_the_same_rows_however_they_are_written(bench: Bench, content: str) -> None:
    bench.write("a.csv", content)
    assert bench.ingest(a_model(columns=COLUMNS)).rows == EXPECTED


def test_gzip_is_read_like_plain_csv(bench: Bench) -> None:
    bench.write("a.csv.gz", gzip.compress(ROWS.encode()))
    assert bench.ingest(a_model(columns=COLUMNS)).rows == EXPECTED


def test_the_delimiter_is_not_sought_inside_quotes(bench: Bench) -> None:
    bench.write("a.csv", '"a, b, c";label\n1;yes\n2;no\n')
    assert list(bench.ingest(a_model()).rows[0]) == ["a, b, c", "label"]


def test_quotes_hold_newlines_delimiters_and_quotes(bench: Bench) -> None:
    bench.write("a.csv", 'word,label\n"a\nb, ""c""",yes\nplain,no\n')
    assert bench.ingest(a_model(columns={"word": {"type": "category"}})).column("word") == ['a\nb, "c"', "plain"]


def test_a_header_may_hold_a_newline(bench: Bench) -> None:
    bench.write("a.csv", '"a\nb",label\n1,yes\n2,no\n')
    assert list(bench.ingest(a_model()).rows[0]) == ["a\nb", "label"]


def test_files_are_read_in_the_order_of_their_names(bench: Bench) -> None:
    for name, number in (("b.csv", 2), ("a.csv", 1), ("c.csv", 3)):
        bench.write(name, f"number,label\n{number},x\n{number},y\n")
    snapshot = bench.ingest(a_model())
    assert snapshot.column("number") == [1, 1, 2, 2, 3, 3]
    assert [file["path"] for file in snapshot.summary["files"]] == ["a.csv", "b.csv", "c.csv"]


def test_columns_are_matched_by_name_between_files(bench: Bench) -> None:
    bench.write("a.csv", "number,label\n1,x\n")
    bench.write("b.csv", "label;number\ny;2\n")
    assert bench.ingest(a_model()).rows == [{"number": 1, "label": "x"}, {"number": 2, "label": "y"}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"\n\n", "found an empty line", id="empty-lines"),
        pytest.param(b"a,label\n", "found only column names", id="header-only"),
        pytest.param(b"a,label", "found only column names", id="header-only-without-newline"),
        pytest.param(b"a,label,a\n1,x,2\n", "the name 'a' twice", id="name-twice"),
        pytest.param(b"a,,label\n1,x,2\n", "a column without a name", id="no-name"),
        pytest.param(b"gr\xc3\xb6\xdfe,label\n1,x\n", "UTF-8, found another encoding", id="mixed-header"),
        pytest.param("a,label\n1,x\n".encode("utf-16-le"), "found a NUL byte", id="utf-16-without-mark"),
        pytest.param(b"a,label\n1,x\n2,\0\n", "found a NUL byte", id="nul"),
        pytest.param(
            b"a,label\n1,\x81\xfc\n", "expected text in windows-1252, found bytes 81 near line 2", id="binary"
        ),
        pytest.param(b'"a,label\n' + b"1,x\n" * 50_000, "cannot be read as csv", id="unclosed-header"),
    ],
)
def test_a_file_that_is_no_table_is_refused(bench: Bench, content: bytes, said: str) -> None:
    bench.write("a.csv", content)
    error = bench.refusal(a_model())
    assert said in error.message
    assert error.place.partition(",")[0] in ("a.csv", "data://table")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(lambda packed: packed[: len(packed) // 2], "ended before", id="cut-in-the-middle"),
        pytest.param(lambda packed: packed[:-4], "ended before", id="cut-at-the-end"),
        pytest.param(lambda packed: packed[:-8] + b"\0\0\0\0" + packed[-4:], "CRC", id="checksum"),
        pytest.param(lambda packed: b"amount,label\n1,x\n", "Not a gzipped file", id="not-gzip"),
        pytest.param(lambda packed: b"", "is empty", id="empty"),
        pytest.param(lambda packed: gzip.compress(b""), "found an empty line", id="packed-nothing"),
    ],
)
def test_a_broken_gzip_file_is_refused_whole(bench: Bench, spoil: object, said: str) -> None:
    packed = gzip.compress(b"amount,label\n" + b"".join(b"%d,x\n" % (7919 * i % 100_003) for i in range(100_000)))
    assert callable(spoil)
    bench.write("a.csv.gz", spoil(packed))
    error = bench.refusal(a_model())
    assert said in error.message
    assert error.place.startswith("a.csv.gz")


def test_a_last_row_that_was_cut_off_is_quarantined(bench: Bench) -> None:
    bench.write("a.csv", "number,word,label\n" + "1,a,x\n2,b,y\n" * 100 + "3,c")
    snapshot = bench.ingest(a_model())
    assert (snapshot.summary["rows"], snapshot.summary["quarantined"]) == (200, 1)
    assert snapshot.summary["reasons"] == {"line: missing columns": 1}
    assert snapshot.quarantine == [{"file": "a.csv", "row": 202, "reason": "missing columns", "content": "3,c"}]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param(b"3,c,x,extra", "too many columns", id="too-many"),
        pytest.param(b"3", "missing columns", id="too-few"),
        pytest.param(b'3,"c,x', "unquoted value", id="unclosed-quote"),
        pytest.param("3,café,x\n3,".encode() + b"caf\xe9,x", "invalid encoding", id="mixed-encodings"),
    ],
)
def test_a_line_that_is_no_row_is_quarantined_or_stops_the_run(bench: Bench, line: bytes, reason: str) -> None:
    bench.write("a.csv", b"number,word,label\n" + b"1,a,x\n2,b,y\n" * 100 + line + b"\n")
    assert [row["reason"] for row in bench.ingest(a_model()).quarantine] == [reason]
    (bench.root / "snapshot").rename(bench.root / "kept")
    for path in (bench.root / ".kelp" / "store").iterdir():
        path.rename(bench.root / f"moved-{path.name}")
    error = bench.refusal(a_model(maxBadRows="0%"))
    bad = 202 + line.count(b"\n")
    assert f"found 1 of {bad - 1}; first: a.csv, line {bad}: {reason}" in error.message


@pytest.mark.parametrize(
    ("header", "said"),
    [
        pytest.param("number,label", "no column 'word'", id="missing"),
        pytest.param("number,word,label,more", "a new column 'more'", id="new"),
    ],
)
def test_a_second_file_with_other_columns_is_refused(bench: Bench, header: str, said: str) -> None:
    bench.write("a.csv", "number,word,label\n1,a,x\n")
    bench.write("b.csv", header + "\n")
    error = bench.refusal(a_model())
    assert said in error.message
    assert "a.csv" in error.message
    assert error.place == "b.csv"
