# SPDX-License-Identifier: Apache-2.0
"""Parquet whose bytes depend on its rows alone, and digests of what lies in a folder."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kelp.parquet import ROW_GROUP, ParquetSink, file_digest, folder_digests, write_parquet

SCHEMA = pa.schema([("n", pa.int64()), ("word", pa.string())])


def batches(rows: int, size: int) -> Iterator[pa.RecordBatch]:
    for start in range(0, rows, size):
        numbers = list(range(start, min(start + size, rows)))
        yield pa.record_batch([numbers, [f"w{n % 7}" if n % 5 else None for n in numbers]], schema=SCHEMA)


@pytest.mark.parametrize("rows", [0, 1, ROW_GROUP - 1, ROW_GROUP, ROW_GROUP + 1, 2 * ROW_GROUP + 77])
def test_rows_come_back_in_order_and_are_counted(tmp_path: Path, rows: int) -> None:
    path = tmp_path / "a.parquet"
    assert write_parquet(batches(rows, 50_000), SCHEMA, path) == rows
    assert pq.read_table(path).column("n").to_pylist() == list(range(rows))
    assert pq.read_schema(path).names == ["n", "word"]


def test_the_bytes_do_not_depend_on_the_batches(tmp_path: Path) -> None:
    rows = ROW_GROUP + 1000
    digests = set()
    for size in (999, 60_000, rows):
        write_parquet(batches(rows, size), SCHEMA, tmp_path / "a.parquet")
        digests.add(file_digest(tmp_path / "a.parquet"))
    assert len(digests) == 1
    sizes = [pq.ParquetFile(tmp_path / "a.parquet").metadata.row_group(i).num_rows for i in range(2)]
    assert sizes == [ROW_GROUP, 1000]


def test_a_file_that_was_there_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_parquet(batches(10, 10), SCHEMA, path)
    assert write_parquet(batches(3, 10), SCHEMA, path) == 3
    assert pq.read_table(path).num_rows == 3


def test_a_digest_is_the_sha256_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert file_digest(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_a_folder_lists_every_file_below_it_sorted(tmp_path: Path) -> None:
    for name in ("b", "sub/deep/c", "a b"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "empty").mkdir()
    found = folder_digests(tmp_path)
    assert list(found) == ["a b", "b", "sub/deep/c"]
    assert found["b"] == hashlib.sha256(b"b").hexdigest()


def test_an_empty_folder_has_no_digests(tmp_path: Path) -> None:
    assert folder_digests(tmp_path) == {}


def test_a_failure_in_the_thread_that_writes_is_raised(tmp_path: Path) -> None:
    other = pa.record_batch([[1.5], ["a"]], names=["x", "word"])
    with pytest.raises(pa.ArrowInvalid), ParquetSink(tmp_path / "a.parquet", SCHEMA) as sink:
        sink.write(other)


def test_an_error_while_rows_are_made_ends_the_file_and_is_raised(tmp_path: Path) -> None:
    def failing() -> Iterator[pa.RecordBatch]:
        yield from batches(10, 10)
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        write_parquet(failing(), SCHEMA, tmp_path / "a.parquet")


def test_a_matrix_is_written_without_dictionaries(tmp_path: Path) -> None:
    schema = pa.schema([("x", pa.float32()), ("word", pa.string())])
    write_parquet([pa.record_batch([[1.5, 1.5], ["a", "a"]], schema=schema)], schema, tmp_path / "a.parquet")
    row_group = pq.ParquetFile(tmp_path / "a.parquet").metadata.row_group(0)
    assert [row_group.column(at).has_dictionary_page for at in range(2)] == [False, True]
