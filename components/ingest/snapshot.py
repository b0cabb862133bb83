# SPDX-License-Identifier: Apache-2.0
"""From the checked rows of each file to the files of a snapshot."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from components.ingest.contract import Checked
from components.ingest.progress import Progress
from components.ingest.sql import answers, literal
from kelp.parquet import write_parquet

_BATCH = 65_536


def create_checked(connection: Any, columns: tuple[Checked, ...], names: Sequence[str], parts: Sequence[Path]) -> None:
    """Create `checked`, with the rows of all parts and `_file`, and `files`, with `position` and `name`.

    Args:
        connection: of the step.
        columns: of every part.
        names: of the source's files.
        parts: of each file in the order of `names`.
    """
    values = ", ".join(column.value for column in columns)
    places = ", ".join(literal(str(part)) for part in parts)
    connection.execute(
        f"""CREATE TEMP VIEW checked AS
            SELECT CAST(file_index AS INTEGER) AS _file, _row, {values}, _reason, _content, _is_line
            FROM read_parquet([{places}], hive_partitioning=false)"""
    )
    connection.execute("CREATE TEMP TABLE files (position INTEGER, name VARCHAR)")
    connection.executemany("INSERT INTO files VALUES (?, ?)", list(enumerate(names)))


def write_data(columns: tuple[Checked, ...], parts: Sequence[Path], path: Path, progress: Progress) -> int:
    """Write the good rows, in the order of the source, under the columns' own names; return how many."""
    import pyarrow as pa

    kinds = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "timestamp": pa.timestamp("us")}
    schema = pa.schema([(column.name, kinds.get(column.type, pa.string())) for column in columns])
    return write_parquet(_good_rows(columns, parts, schema, progress), schema, path)


def _good_rows(columns: tuple[Checked, ...], parts: Sequence[Path], schema: Any, progress: Progress) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [*(column.value for column in columns), "_reason"]
    for part in parts:
        with pq.ParquetFile(part) as file:
            for batch in file.iter_batches(_BATCH, columns=names):
                progress.add(batch.num_rows)
                *values, reason = batch.columns
                rows = pa.RecordBatch.from_arrays(values, schema=schema)
                yield rows if reason.null_count == len(reason) else rows.filter(reason.is_null())


def write_quarantine(connection: Any, path: Path) -> None:
    """Write every refused row: `file`, `row` (of a CSV line that is no row: its line), `reason`, `content`.

    The content is what the source had: a row as a JSON object, a line as it stood.
    """
    reader = connection.execute(
        """SELECT name AS file, _row AS row, _reason AS reason, _content AS content
           FROM checked JOIN files ON _file = position WHERE _reason IS NOT NULL
           ORDER BY _file, _is_line, row"""
    ).to_arrow_reader()
    write_parquet(reader, reader.schema, path)


def quarantine_reasons(connection: Any) -> dict[str, int]:
    """How many rows were refused for each reason, without the values that were found."""
    rows = connection.execute(
        """SELECT CASE WHEN _is_line THEN 'line: ' || _reason
                       ELSE regexp_replace(_reason, ', found .*$', '', 's') END AS kind, count(*)
           FROM checked WHERE _reason IS NOT NULL GROUP BY kind ORDER BY kind"""
    ).fetchall()
    return dict(rows)


def column_profile(connection: Any, columns: tuple[Checked, ...], rows: int) -> dict[str, dict[str, Any]]:
    """Type, missing and distinct values of each column among the good rows."""
    found: dict[str, tuple[int, int]] = {}
    for kind in {column.type for column in columns}:
        cells = [column.value for column in columns if column.type == kind]
        counts = answers(
            connection, "checked WHERE _reason IS NULL", cells, "v", ("count(v)", "count(DISTINCT v)"), rows
        )
        found |= dict(zip(cells, counts, strict=True))
    return {
        column.name: {
            "type": column.type,
            "missing": rows - found[column.value][0],
            "distinct": found[column.value][1],
        }
        for column in columns
    }
