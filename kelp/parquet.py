# SPDX-License-Identifier: Apache-2.0
"""Parquet files whose bytes depend on their rows alone, and the digests of files and folders."""

import hashlib
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROW_GROUP = 131_072
_AHEAD = 2  # row groups that wait for the thread which compresses


class ParquetSink:
    """A Parquet file under way: batches come in as they are made, a thread of its own compresses row groups.

    The row groups have a fixed size, whatever the batches' own sizes. float32 columns, which are the matrices of
    models, are written without dictionaries: few of their values come twice.
    """

    def __init__(self, path: Path, schema: Any) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.rows = 0
        self._schema = schema
        self._pending: list[Any] = []
        self._waiting = 0
        self._encoded: list[Future[None]] = []
        words = [field.name for field in schema if field.type != pa.float32()]
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=words)
        self._thread = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        return self

    def write(self, batch: Any) -> None:
        """Take a pyarrow.RecordBatch of the schema.

        Raises:
            OSError: an earlier one could not be written.
        """
        self._pending.append(batch)
        self._waiting += batch.num_rows
        self.rows += batch.num_rows
        while self._waiting >= ROW_GROUP:
            table = self._take()
            self._encode(table.slice(0, ROW_GROUP))
            self._pending = table.slice(ROW_GROUP).to_batches()
            self._waiting -= ROW_GROUP

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._thread, self._writer:
            if error is None and (self._waiting or self.rows == 0):
                self._encode(self._take())
            while self._encoded:
                self._encoded.pop(0).result()

    def _take(self) -> Any:
        import pyarrow as pa

        return pa.Table.from_batches(self._pending, self._schema)

    def _encode(self, table: Any) -> None:
        while len(self._encoded) >= _AHEAD:
            self._encoded.pop(0).result()
        self._encoded.append(self._thread.submit(self._write, table))

    def _write(self, table: Any) -> None:
        self._writer.write_table(table.combine_chunks(), row_group_size=ROW_GROUP)


def write_parquet(batches: Iterable[Any], schema: Any, path: Path) -> int:
    """Write Arrow record batches in row groups of a fixed size, whatever the batches' own sizes; return the rows.

    Args:
        batches: pyarrow.RecordBatch, in the order in which they are written.
        schema: the pyarrow.Schema of every batch.
        path: replaced if it exists.
    """
    with ParquetSink(path, schema) as sink:
        for batch in batches:
            sink.write(batch)
    return sink.rows


def file_digest(path: Path) -> str:
    """sha256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digests(folder: Path) -> dict[str, str]:
    """sha256 (hex) of every file below `folder`, by POSIX path, sorted."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}
