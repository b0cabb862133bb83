# SPDX-License-Identifier: Apache-2.0
import os

import pytest

from components.ingest.source import resolve
from kelp.errors import DataError
from tests.unit.components.ingest.factories import Bench

NAMES = ("b.csv", "a.csv", "c.csv.gz", "D.CSV", ".hidden.csv", "notes.txt", "_SUCCESS")


def found(bench: Bench, address: str) -> list[str]:
    return [file.name for file in resolve(address, bench.home, bench.root)]


@pytest.fixture
def filled(bench: Bench) -> Bench:
    for name in NAMES:
        bench.write(name, "x\n1\n")
    (bench.table / "below").mkdir()
    bench.write("below/e.csv", "x\n1\n")
    return bench


@pytest.mark.parametrize(
    ("address", "names"),
    [
        pytest.param("data://table", ["D.CSV", "a.csv", "b.csv", "c.csv.gz"], id="folder"),
        pytest.param("data://table/", ["D.CSV", "a.csv", "b.csv", "c.csv.gz"], id="folder-with-slash"),
        pytest.param("data://table/*.csv", ["a.csv", "b.csv"], id="glob"),
        pytest.param("data://table/[ab].csv", ["a.csv", "b.csv"], id="glob-of-letters"),
        pytest.param("data://table/?.csv", ["a.csv", "b.csv"], id="glob-of-one"),
        pytest.param("data://table/b.csv", ["b.csv"], id="file"),
        pytest.param("data://table/below", ["e.csv"], id="folder-below"),
    ],
)
def test_an_address_means_these_files_in_this_order(filled: Bench, address: str, names: list[str]) -> None:
    assert found(filled, address) == names


def test_a_file_address_is_absolute(filled: Bench) -> None:
    assert found(filled, f"file://{filled.table}/a.csv") == ["a.csv"]


def test_a_file_whose_name_looks_like_a_glob_is_that_file(bench: Bench) -> None:
    bench.write("a[1].csv", "x\n1\n")
    bench.write("a1.csv", "x\n2\n")
    assert found(bench, "data://table/a[1].csv") == ["a[1].csv"]


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("data://nowhere", id="nothing-there"),
        pytest.param("data://nowhere/*.csv", id="glob-in-nothing"),
        pytest.param("data://table", id="folder-without-data"),
        pytest.param("data://table/*.parquet", id="glob-without-match"),
        pytest.param("data://*/a.csv", id="glob-in-the-middle"),
        pytest.param("data://table/notes.txt", id="other-format"),
    ],
)
def test_nothing_to_read_says_where_it_looked(bench: Bench, address: str) -> None:
    bench.write("notes.txt", "x")
    with pytest.raises(DataError, match="no Parquet or CSV file") as caught:
        found(bench, address)
    assert caught.value.place == address
    assert str(bench.table.parent) in caught.value.message
    assert "home.toml" in caught.value.fix


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("table", id="no-scheme"),
        pytest.param("http://example.org/a.csv", id="other-scheme"),
        pytest.param("data://", id="no-path"),
        pytest.param("data://../secrets", id="out-of-the-root"),
        pytest.param("data://table/a\0.csv", id="nul"),
    ],
)
def test_a_malformed_address_is_refused(bench: Bench, address: str) -> None:
    with pytest.raises(DataError, match="expected data://, file:// or s3://"):
        found(bench, address)


def test_formats_are_not_mixed(bench: Bench) -> None:
    bench.write("a.csv", "x\n1\n")
    bench.write("a.parquet", b"PAR1")
    with pytest.raises(DataError, match="csv and parquet") as caught:
        found(bench, "data://table")
    assert caught.value.fix == "narrow the glob"


def test_a_file_that_cannot_be_read_is_named(bench: Bench) -> None:
    # The first byte of this process's memory cannot be read, not even by root.
    (bench.table / "a.csv").symlink_to("/proc/self/mem")
    with pytest.raises(DataError, match="cannot be read"):
        found(bench, "data://table")


def test_a_name_longer_than_the_disk_allows_is_an_error_of_ours(bench: Bench) -> None:
    with pytest.raises(DataError, match="cannot be read") as caught:
        found(bench, f"data://{'x' * 300}.csv")
    assert "xxx" in caught.value.place


def test_a_dangling_link_is_not_a_file(bench: Bench) -> None:
    os.symlink(bench.root / "gone", bench.table / "a.csv")
    with pytest.raises(DataError, match="no Parquet or CSV file"):
        found(bench, "data://table")
