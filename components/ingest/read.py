# SPDX-License-Identifier: Apache-2.0
"""Read the files of a source into one DuckDB table `raw`, row order kept, nothing interpreted yet."""

import csv
import gzip
from dataclasses import dataclass
from typing import IO, Any

from components.ingest.source import SourceFile
from kelp.errors import DataError

_SAMPLE = 64 * 1024
_KINDS = {"number": ("INT", "DOUBLE", "FLOAT", "DECIMAL", "REAL"), "time": ("TIMESTAMP", "DATE")}


@dataclass(frozen=True, slots=True)
class Loaded:
    """What `raw` holds: its columns with their DuckDB types, and how many CSV lines were not rows at all."""

    columns: dict[str, str]
    rejected: int


def connect() -> Any:
    """An in-memory DuckDB that keeps row order and speaks UTC."""
    import duckdb

    connection = duckdb.connect(config={"preserve_insertion_order": True})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def quote(name: str) -> str:
    """A SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A SQL string."""
    return "'" + text.replace("'", "''") + "'"


def load_raw(connection: Any, files: list[SourceFile]) -> Loaded:
    """Create `raw` (`_file`, `_row` from 1, the columns) and `rejected` (`file`, `line`, `reason`, `content`).

    Raises:
        DataError: a file is empty, is not what its name says, or has other columns than the first one.
    """
    import duckdb

    connection.execute("CREATE TABLE rejected (file VARCHAR, line BIGINT, reason VARCHAR, content VARCHAR)")
    first: dict[str, str] = {}
    for file in files:
        try:
            if file.path.stat().st_size == 0:
                raise DataError("the file is empty", place=file.name)
            relation = _csv(file) if file.format == "csv" else f"read_parquet({literal(str(file.path))})"
            described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
            columns = {row[0]: row[1] for row in described}
            _refuse_other_columns(file, columns, first or columns, files[0])
            verb = "INSERT INTO raw BY NAME" if first else "CREATE TABLE raw AS"
            connection.execute(
                f"{verb} SELECT {literal(file.name)} AS _file, row_number() OVER () AS _row, * FROM {relation}"
            )
            first = first or columns
            if file.format == "csv":
                _keep_rejects(connection, file)
        except (duckdb.Error, UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
            message = str(error).splitlines()[0]
            raise DataError(f"cannot be read as {file.format}: {message}", place=file.name) from error
    rejected = connection.execute("SELECT count(*) FROM rejected").fetchone()[0]
    return Loaded(first, rejected)


def _csv(file: SourceFile) -> str:
    """A read_csv call with everything said, so that no row can make DuckDB guess another dialect."""
    opener = gzip.open if file.path.suffix == ".gz" else open
    with opener(file.path, "rt", encoding="utf-8-sig", newline="", errors="replace") as stream:
        delimiter, header = _header(stream)
    if not any(header):
        raise DataError("expected a line of column names, found an empty line", place=file.name)
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice or "" in header:
        what = f"the name {twice[0]!r} twice" if twice and twice[0] else "a column without a name"
        raise DataError(f"expected different column names, found {what}", place=f"{file.name}, line 1")
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header)
    return (
        f"read_csv({literal(str(file.path))}, columns={{{columns}}}, auto_detect=false, header=true, "
        f"delim={literal(delimiter)}, quote='\"', escape='\"', store_rejects=true, rejects_limit=0)"
    )


def _header(stream: IO[str]) -> tuple[str, list[str]]:
    sample = stream.read(_SAMPLE)
    first_line = sample.split("\n", 1)[0]
    delimiter = max(",;\t|", key=first_line.count)
    return delimiter, next(csv.reader(sample.splitlines(keepends=True), delimiter=delimiter), [])


def _keep_rejects(connection: Any, file: SourceFile) -> None:
    connection.execute(
        f"""INSERT INTO rejected
            SELECT {literal(file.name)}, line, any_value(lower(CAST(error_type AS VARCHAR))), any_value(csv_line)
            FROM reject_errors GROUP BY line ORDER BY line"""
    )
    connection.execute("DROP TABLE reject_errors; DROP TABLE reject_scans")


def _refuse_other_columns(file: SourceFile, columns: dict[str, str], first: dict[str, str], of: SourceFile) -> None:
    missing = [name for name in first if name not in columns]
    extra = [name for name in columns if name not in first]
    if missing or extra:
        differences = [f"no column {name!r}" for name in missing] + [f"a new column {name!r}" for name in extra]
        raise DataError(
            f"expected the columns of {of.name}, found {', '.join(differences[:5])}",
            place=file.name,
            fix="bring all files of the source to one schema",
        )
    for name, kind in columns.items():
        if _kind(kind) != _kind(first[name]):
            raise DataError(f"expected {first[name]} in column {name!r} as in {of.name}, found {kind}", place=file.name)


def _kind(duckdb_type: str) -> str:
    return next((kind for kind, words in _KINDS.items() if any(w in duckdb_type for w in words)), duckdb_type)
