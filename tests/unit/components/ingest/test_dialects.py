# SPDX-License-Identifier: Apache-2.0
"""CSV as people write it: signs, encodings, packing, headers, decimal commas and dates."""

import bz2
import gzip
import logging
import lzma
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest

from tests.unit.components.ingest.factories import Bench, a_model

ROWS = "price;word;label\n3,14;süß;yes\n1.234,5;b;no\n"
EXPECTED = [{"price": 3.14, "word": "süß", "label": "yes"}, {"price": 1234.5, "word": "b", "label": "no"}]
COLUMNS = {"word": {"type": "category"}}


def packed(codec: str) -> bytes:
    return bytes(pa.compress(ROWS.encode(), codec, asbytes=True))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.csv", ROWS.encode(), id="plain"),
        pytest.param("a.csv", ROWS.encode("utf-8-sig"), id="excel-mark"),
        pytest.param("a.csv", ("sep=;\r\n" + ROWS.replace("\n", "\r\n")).encode("utf-8-sig"), id="excel-sep"),
        pytest.param("a.csv", ROWS.encode("utf-16"), id="utf-16"),
        pytest.param("a.csv", b"\xfe\xff" + ROWS.encode("utf-16-be"), id="utf-16-big-endian"),
        pytest.param("a.csv", ROWS.encode("windows-1252"), id="windows-1252"),
        pytest.param("a.csv", ROWS.replace("süß", "'süß'").replace("b;", "'b';").encode(), id="single-quotes"),
        pytest.param("a.tsv", ROWS.replace(";", "\t").encode(), id="tabs"),
        pytest.param("a.csv.gz", gzip.compress(ROWS.encode()), id="gzip"),
        pytest.param("a.csv.gz", gzip.compress(ROWS.encode("windows-1252")), id="gzip-windows-1252"),
        pytest.param("a.csv.bz2", bz2.compress(ROWS.encode()), id="bzip2"),
        pytest.param("a.csv.xz", lzma.compress(ROWS.encode()), id="xz"),
        pytest.param("a.csv.zst", packed("zstd"), id="zstandard"),
    ],
)
def test_the_same_rows_however_they_are_saved(bench: Bench, name: str, content: bytes) -> None:
    bench.write(name, content)
    assert bench.ingest(a_model(columns=COLUMNS)).rows == EXPECTED


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.csv.gz", gzip.compress(ROWS.encode() * 1000)[:-10], id="gzip"),
        pytest.param("a.csv.bz2", bz2.compress(ROWS.encode() * 1000)[:-10], id="bzip2"),
        pytest.param("a.csv.xz", lzma.compress(ROWS.encode() * 1000)[:-10], id="xz"),
        pytest.param("a.csv.zst", packed("zstd")[:-3], id="zstandard"),
        pytest.param("a.csv.xz", b"no archive", id="not-xz"),
        pytest.param("a.csv.bz2", b"no archive", id="not-bzip2"),
        pytest.param("a.csv.zst", b"no archive", id="not-zstandard"),
    ],
)
def test_a_truncated_or_false_archive_is_refused(bench: Bench, name: str, content: bytes) -> None:
    bench.write(name, content)
    error = bench.refusal(a_model())
    assert "cannot be read as csv" in error.message
    assert error.place == name


def test_bytes_that_are_not_utf8_are_a_warning(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.write("a.csv", ROWS.encode("windows-1252"))
    with caplog.at_level(logging.WARNING, "components"):
        warnings = bench.ingest(a_model(columns=COLUMNS)).summary["warnings"]
    assert warnings == ["a.csv is not UTF-8; it was read as windows-1252"]
    assert [record.getMessage() for record in caplog.records] == warnings


@pytest.mark.parametrize(
    ("csv", "content", "expected"),
    [
        pytest.param({"encoding": "cp437"}, "a;label\nä;x\n".encode("cp437"), {"a": "ä", "label": "x"}, id="encoding"),
        pytest.param({"delimiter": ":"}, b"a:label\n1,5:x\n", {"a": 1.5, "label": "x"}, id="delimiter"),
        pytest.param({"quote": "$"}, b"a,label\n$1,5$,x\n", {"a": "1,5", "label": "x"}, id="quote"),
        pytest.param({"decimal": ","}, b"a;label\n1.234;x\n", {"a": 1234, "label": "x"}, id="decimal-comma"),
        pytest.param({"decimal": "."}, b"a;label\n1,5;x\n", {"a": "1,5", "label": "x"}, id="decimal-point"),
    ],
)
def test_what_is_declared_is_not_detected(
    bench: Bench, csv: dict[str, Any], content: bytes, expected: dict[str, Any]
) -> None:
    bench.write("a.csv", content)
    assert bench.ingest(a_model(csv=csv)).rows == [expected]


def test_a_declared_encoding_that_is_wrong_is_an_error(bench: Bench) -> None:
    bench.write("a.csv", "a,label\n1,x\n2,ü\n".encode())
    assert (
        "expected text in ascii, found bytes c3 near line 3"
        in bench.refusal(a_model(csv={"encoding": "ascii"})).message
    )


def test_without_a_header_columns_are_numbered(bench: Bench) -> None:
    bench.write("a.csv", "1,5;2,5;yes\n3,5;4,5;no\n")
    snapshot = bench.ingest(a_model(target="column_3", csv={"header": False}))
    assert snapshot.rows[0] == {"column_1": 1.5, "column_2": 2.5, "column_3": "yes"}
    assert len(snapshot.rows) == 2


def test_numbers_with_points_beside_commas_are_a_warning(bench: Bench) -> None:
    bench.write("a.csv", "a;b;label\n1,5;1.234;x\n2,5;5.678;y\n")
    snapshot = bench.ingest(a_model())
    assert snapshot.column("b") == [1.234, 5.678]
    assert [text[:26] for text in snapshot.summary["warnings"]] == ["column b has decimal point"]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        pytest.param(["31.12.2024", "01.02.2024"], [datetime(2024, 12, 31), datetime(2024, 2, 1)], id="day-first"),
        pytest.param(["12/31/2024", "1/2/2024"], [datetime(2024, 12, 31), datetime(2024, 1, 2)], id="month-first"),
        pytest.param(
            ["31-12-2024 10:05", "1-2-2024 9:00:01"],
            [datetime(2024, 12, 31, 10, 5), datetime(2024, 2, 1, 9, 0, 1)],
            id="with-time",
        ),
    ],
)
def test_a_part_over_12_decides_the_order_of_dates(bench: Bench, cells: list[str], expected: list[datetime]) -> None:
    bench.write("a.csv", "at,label\n" + "".join(f"{cell},x\n" for cell in cells))
    snapshot = bench.ingest(a_model())
    assert (snapshot.types["at"], snapshot.column("at")) == ("timestamp", expected)


def test_ambiguous_dates_stay_text_with_a_warning(bench: Bench) -> None:
    bench.write("a.csv", "at,label\n01.02.2024,x\n03.04.2024,y\n")
    snapshot = bench.ingest(a_model())
    assert snapshot.types["at"] == "category"
    assert "could begin with the day or the month" in snapshot.summary["warnings"][0]


def test_a_declared_time_takes_the_order_of_its_values(bench: Bench) -> None:
    bench.write("a.csv", "at,label\n31.12.2023,x\n03.04.2023,y\n")
    assert bench.ingest(a_model(time="at")).column("at") == [datetime(2023, 12, 31), datetime(2023, 4, 3)]


def test_an_order_decided_in_one_file_holds_for_all(bench: Bench) -> None:
    bench.write("a.csv", "at;n;label\n01.02.2024;3;x\n")
    bench.write("b.csv", "at;n;label\n31.12.2024;2,5;y\n")
    snapshot = bench.ingest(a_model())
    assert snapshot.column("at") == [datetime(2024, 2, 1), datetime(2024, 12, 31)]
    assert snapshot.column("n") == [3.0, 2.5]
