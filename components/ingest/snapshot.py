# SPDX-License-Identifier: Apache-2.0
"""From the checked rows to the files of a snapshot."""

from pathlib import Path
from typing import Any

from components.ingest.contract import Checked
from components.ingest.sql import literal
from kelp.parquet import write_parquet


def write_data(connection: Any, columns: tuple[Checked, ...], path: Path) -> None:
    """Write the good rows, in the order of the source, under the columns' own names."""
    import pyarrow as pa

    values = ", ".join(column.value for column in columns)
    reader = connection.execute(
        f"SELECT {values} FROM checked WHERE _reason IS NULL ORDER BY _file, _row"
    ).to_arrow_reader()
    names = [column.name for column in columns]
    schema = pa.schema([field.with_name(name) for field, name in zip(reader.schema, names, strict=True)])
    write_parquet((batch.rename_columns(names) for batch in reader), schema, path)


def write_quarantine(connection: Any, columns: tuple[Checked, ...], path: Path) -> None:
    """Write every refused row: `file`, `row` (of a CSV line that is no row: its line), `reason`, `content`.

    The content is what the source had: a row as a JSON object, a line as it stood.
    """
    cells = ", ".join(f"{literal(column.name)}, raw.{column.cell}" for column in columns)
    reader = connection.execute(
        f"""SELECT name AS file, row, reason, content FROM (
              SELECT checked._file, checked._row AS row, 0 AS kind, _reason AS reason,
                     CAST(json_object({cells}) AS VARCHAR) AS content
              FROM checked JOIN raw USING (_file, _row) WHERE _reason IS NOT NULL
              UNION ALL SELECT _file, line, 1, reason, content FROM rejected
            ) JOIN files ON _file = position ORDER BY _file, kind, row"""
    ).to_arrow_reader()
    write_parquet(reader, reader.schema, path)


def quarantine_reasons(connection: Any) -> dict[str, int]:
    """How many rows were refused for each reason, without the values that were found."""
    rows = connection.execute(
        """SELECT kind, count(*) FROM (
             SELECT regexp_replace(_reason, ', found .*$', '', 's') AS kind FROM checked WHERE _reason IS NOT NULL
             UNION ALL SELECT 'line: ' || reason FROM rejected
           ) GROUP BY kind ORDER BY kind"""
    ).fetchall()
    return dict(rows)


def column_profile(connection: Any, columns: tuple[Checked, ...]) -> dict[str, dict[str, Any]]:
    """Type, missing and distinct values of each column among the good rows."""
    counts = ", ".join(f"count({column.value}), count(DISTINCT {column.value})" for column in columns)
    rows, *found = connection.execute(f"SELECT count(*), {counts} FROM checked WHERE _reason IS NULL").fetchone()
    return {
        column.name: {"type": column.type, "missing": rows - present, "distinct": distinct}
        for column, present, distinct in zip(columns, found[::2], found[1::2], strict=True)
    }
