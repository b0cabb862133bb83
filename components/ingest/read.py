# SPDX-License-Identifier: Apache-2.0
"""One file of a source as a DuckDB relation, row order kept, nothing interpreted yet.

A Parquet file stays where it is; CSV becomes a Parquet file of texts in a scratch folder. Both are only ever scanned.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.ingest.delimited import Dialect, has_rows, leaves_quote_open, read_csv, read_dialect
from components.ingest.plain import plain_file
from components.ingest.source import SourceFile
from components.ingest.sql import file_literal, literal
from kelp.errors import DataError
from kelp.spec.data import Csv

EMPTY = "NULL"  # the type of a Parquet column of no type, which has no values either
_TYPES = {  # DuckDB's type in a file: the type in `raw`; all others become text
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"), "BIGINT"),
    **dict.fromkeys(("UBIGINT", "HUGEINT"), "HUGEINT"),
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL"), "DOUBLE"),
    **dict.fromkeys(("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "TIMESTAMPTZ"),
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ",
    "BOOLEAN": "BOOLEAN",
}


@dataclass(frozen=True, slots=True)
class Raw:
    """One file that can be queried.

    Attributes:
        columns: the type of each, in the file's order.
        relation: SQL with `_row` (from 1; lines that are no rows do not count), `c0`, `c1`, ...
        rejected: SQL with `line`, `reason`, `content` of each CSV line that is no row; empty for Parquet.
        decimal: which commas in numbers are looked for, see `statistics.measure`.
        assumed: what had to be assumed to read the file; empty if nothing.
    """

    columns: dict[str, str]
    relation: str
    rejected: str = ""
    decimal: str = "."
    assumed: str = ""


def read_file(connection: Any, file: SourceFile, number: int, declared: Csv, scratch: Path) -> Raw:
    """Make a file of a source ready for queries.

    Args:
        connection: gets a table `rejected_<number>` if the file is CSV.
        file: Parquet or CSV.
        number: of the file.
        declared: how CSV is written.
        scratch: an existing folder; the rows of CSV are kept there.

    Raises:
        DataError: the file is empty, or no table.
        Exception: what libraries raise; see `faults.file_faults`.
    """
    if file.path.stat().st_size == 0:
        raise DataError("the file is empty", place=file.name, fix="remove it, or write it again")
    return _parquet(connection, file) if file.format == "parquet" else _csv(connection, file, number, declared, scratch)


def _csv(connection: Any, file: SourceFile, number: int, declared: Csv, scratch: Path) -> Raw:
    plain = plain_file(file, declared.encoding, scratch)
    dialect = read_dialect(plain.path, file.name, declared)
    _refuse_bad_names(dialect.names, file)
    kept = scratch / f"{number:06}.raw"
    copy = f"COPY (FROM {read_csv(plain.path, dialect)}) TO {literal(str(kept))} (FORMAT parquet)"
    written = connection.execute(copy).fetchone()[0]
    connection.execute(
        f"""CREATE TEMP TABLE rejected_{number} AS
            SELECT CAST(line AS BIGINT) AS line, any_value(lower(CAST(error_type AS VARCHAR))) AS reason,
                   any_value(csv_line) AS content
            FROM reject_errors GROUP BY line"""
    )
    _refuse_lost_rows(connection, written, plain.path, dialect, file)
    connection.execute("DROP TABLE reject_errors; DROP TABLE reject_scans")
    if plain.path != file.path:
        plain.path.unlink()
    cells = ", ".join(f"c{position}" for position in range(len(dialect.names)))
    return Raw(
        columns=dict.fromkeys(dialect.names, "VARCHAR"),
        relation=f"(SELECT file_row_number + 1 AS _row, {cells} FROM read_parquet({literal(str(kept))}))",
        rejected=f"rejected_{number}",
        decimal=declared.decimal or ("." if dialect.delimiter == "," else ""),
        assumed=plain.assumed,
    )


def _refuse_lost_rows(connection: Any, written: int, path: Path, dialect: Dialect, file: SourceFile) -> None:
    broken = connection.execute(
        "SELECT DISTINCT line, line_byte_position FROM reject_errors ORDER BY line LIMIT 1000"
    ).fetchall()
    line = next((line for line, position in broken if leaves_quote_open(path, dialect, position)), None)
    if line is not None:
        raise DataError(
            f"expected the quote that opens in line {line} to close there, found more lines: rows would be lost",
            place=f"{file.name}, line {line}",
            fix="close or remove the quote, or declare spec.data.csv.quote",
        )
    if not written and not broken and has_rows(path, dialect):  # DuckDB finds none if line ends are mixed
        raise DataError(
            "expected one kind of line ends, found two", place=file.name, fix="save the file again with one kind"
        )


def _parquet(connection: Any, file: SourceFile) -> Raw:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pq.read_schema(file.path)
    _refuse_bad_names(schema.names, file)
    nested = next((field for field in schema if pa.types.is_nested(field.type)), None)
    if nested is not None:
        raise DataError(
            f"expected single values in column {nested.name!r}, found {nested.type}",
            place=file.name,
            fix="split it into columns of its parts, or leave it out",
        )
    scan = f"read_parquet({file_literal(file.path)}, hive_partitioning=false)"
    kinds = connection.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()
    columns = {
        name: EMPTY if str(field.type) == "null" else _TYPES.get(kind[1].split("(")[0], "VARCHAR")
        for name, field, kind in zip(schema.names, schema, kinds, strict=True)
    }
    names = ", ".join(f"c{position}" for position in range(len(columns)))
    cells = ", ".join(
        f"CAST(c{position} AS {'VARCHAR' if kind == EMPTY else kind}) AS c{position}"
        for position, kind in enumerate(columns.values())
    )
    return Raw(columns, f"(SELECT file_row_number + 1 AS _row, {cells} FROM {scan} AS source({names}))")


def _refuse_bad_names(names: Iterable[str], file: SourceFile) -> None:
    wrong = sorted(name for name, count in Counter(names).items() if count > 1 or not name)
    if wrong:
        found = f"the name {wrong[0]!r} twice" if wrong[0] else "a column without a name"
        raise DataError(f"expected different column names, found {found}", place=file.name, fix="rename the columns")
