# SPDX-License-Identifier: Apache-2.0
"""Parquet files whose bytes depend on their rows alone, and the digests of files and folders."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROW_GROUP = 131_072


def write_parquet(batches: Iterable[Any], schema: Any, path: Path) -> int:
    """Write Arrow record batches in row groups of a fixed size, whatever the batches' own sizes; return the rows.

    Args:
        batches: pyarrow.RecordBatch, in the order in which they are written.
        schema: the pyarrow.Schema of every batch.
        path: replaced if it exists.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = 0
    pending: list[Any] = []
    waiting = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            pending.append(batch)
            waiting += batch.num_rows
            while waiting >= ROW_GROUP:
                table = pa.Table.from_batches(pending, schema).combine_chunks()
                writer.write_table(table.slice(0, ROW_GROUP), row_group_size=ROW_GROUP)
                pending = table.slice(ROW_GROUP).to_batches()
                rows, waiting = rows + ROW_GROUP, waiting - ROW_GROUP
        if waiting or rows == 0:
            writer.write_table(pa.Table.from_batches(pending, schema).combine_chunks(), row_group_size=ROW_GROUP)
    return rows + waiting


def file_digest(path: Path) -> str:
    """sha256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digests(folder: Path) -> dict[str, str]:
    """sha256 (hex) of every file below `folder`, by POSIX path, sorted."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}
