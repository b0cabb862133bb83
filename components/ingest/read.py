# SPDX-License-Identifier: Apache-2.0
"""Read the files of a source into one DuckDB table `raw`, row order kept, nothing interpreted yet."""

import csv
import errno
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.ingest.delimited import read_csv, read_header, unpacked
from components.ingest.source import SourceFile
from components.ingest.sql import file_literal
from kelp.errors import DataError, EnvironmentFault

_NUMBERS = ("BIGINT", "HUGEINT", "DOUBLE")  # each holds the ones before it
_EMPTY = "NULL"  # a Parquet column of no type, which has no values either
_TYPES = {  # DuckDB's type in a file: the type in `raw`; all others become text
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"), "BIGINT"),
    **dict.fromkeys(("UBIGINT", "HUGEINT"), "HUGEINT"),
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL"), "DOUBLE"),
    **dict.fromkeys(("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "TIMESTAMPTZ"),
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ",
    "BOOLEAN": "BOOLEAN",
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """What `raw` holds: its columns with their DuckDB types, and how many CSV lines were not rows at all."""

    columns: dict[str, str]
    rejected: int


@dataclass(frozen=True, slots=True)
class _Described:
    """One file: its columns with their types in `raw`; the delimiter if it is CSV."""

    file: SourceFile
    columns: dict[str, str]
    delimiter: str = ""


def load_raw(connection: Any, files: list[SourceFile], scratch: Path) -> Loaded:
    """Create `raw`, `files` and `rejected`.

    raw: `_file` (position in `files`), `_row` (from 1; lines that are no rows do not count), `c0`, `c1`, ...
    files: `position`, `name`. rejected: `_file`, `line`, `reason`, `content`.

    Args:
        connection: from `components.ingest.sql.connect`.
        files: at least one, all of one format.
        scratch: an existing folder; gzip files are unpacked there, one at a time.

    Raises:
        DataError: a file is empty, is not what its name says, or has other columns than the first one.
        EnvironmentFault: memory or disk ran out.
    """
    described = [_describe(connection, file) for file in files]
    types = _common_types(described)
    columns = ", ".join(f"c{position} {kind}" for position, kind in enumerate(types.values()))
    connection.execute(f"CREATE TABLE raw (_file INTEGER, _row BIGINT, {columns})")
    connection.execute("CREATE TABLE rejected (_file INTEGER, line BIGINT, reason VARCHAR, content VARCHAR)")
    connection.execute("CREATE TABLE files (position INTEGER, name VARCHAR)")
    for position, one in enumerate(described):
        connection.execute("INSERT INTO files VALUES (?, ?)", [position, one.file.name])
        with _faults(one.file):
            _load(connection, position, one, types, scratch)
    rejected = connection.execute("SELECT count(*) FROM rejected").fetchone()[0]
    return Loaded(types, rejected)


def _describe(connection: Any, file: SourceFile) -> _Described:
    with _faults(file):
        if file.path.stat().st_size == 0:
            raise DataError("the file is empty", place=file.name, fix="remove it, or write it again")
        if file.format == "csv":
            delimiter, names = read_header(file)
            _refuse_bad_names(names, file)
            return _Described(file, dict.fromkeys(names, "VARCHAR"), delimiter)
        return _Described(file, _parquet_columns(connection, file))


def _parquet_columns(connection: Any, file: SourceFile) -> dict[str, str]:
    import pyarrow.parquet as pq

    schema = pq.read_schema(file.path)
    _refuse_bad_names(schema.names, file)
    kinds = connection.execute(f"DESCRIBE SELECT * FROM {_read_parquet(file)}").fetchall()
    return {
        name: _EMPTY if str(field.type) == "null" else _TYPES.get(kind[1].split("(")[0], "VARCHAR")
        for name, field, kind in zip(schema.names, schema, kinds, strict=True)
    }


def _refuse_bad_names(names: list[str], file: SourceFile) -> None:
    wrong = sorted({name for name in names if names.count(name) > 1 or not name})
    if wrong:
        found = f"the name {wrong[0]!r} twice" if wrong[0] else "a column without a name"
        raise DataError(f"expected different column names, found {found}", place=file.name, fix="rename the columns")


def _read_parquet(file: SourceFile) -> str:
    return f"read_parquet({file_literal(file.path)}, hive_partitioning=false)"


def _common_types(described: list[_Described]) -> dict[str, str]:
    """The columns of the first file, each with a type that holds its values in every file.

    Raises:
        DataError: a file has other columns, or a column holds other things than in the files before it.
    """
    first, *others = described
    types = dict(first.columns)
    for other in others:
        differences = [f"no column {name!r}" for name in types if name not in other.columns]
        differences += [f"a new column {name!r}" for name in other.columns if name not in types]
        if differences:
            raise DataError(
                f"expected the columns of {first.file.name}, found {', '.join(differences[:5])}",
                place=other.file.name,
                fix="bring all files of the source to one schema",
            )
        for name, kind in other.columns.items():
            common = _common_type(types[name], kind)
            if not common:
                raise DataError(
                    f"expected {types[name]} in column {name!r} as in {first.file.name}, found {kind}",
                    place=other.file.name,
                    fix="bring all files of the source to one schema",
                )
            types[name] = common
    return {name: "VARCHAR" if kind == _EMPTY else kind for name, kind in types.items()}


def _common_type(one: str, other: str) -> str:
    """The type that holds both, or nothing."""
    if one in (other, _EMPTY) or other == _EMPTY:
        return other if one == _EMPTY else one
    if one in _NUMBERS and other in _NUMBERS:
        return max(one, other, key=_NUMBERS.index)
    return ""


def _load(connection: Any, position: int, one: _Described, types: dict[str, str], scratch: Path) -> None:
    width = len(types)
    if one.file.format == "csv":
        relation = read_csv(unpacked(one.file, scratch), one.delimiter, width)
    else:
        relation = _read_parquet(one.file)
    places = {name: place for place, name in enumerate(one.columns)}
    cells = ", ".join(f"CAST(c{places[name]} AS {kind})" for name, kind in types.items())
    names = ", ".join(f"c{place}" for place in range(width))
    connection.execute(
        f"INSERT INTO raw SELECT {position}, row_number() OVER (), {cells} FROM {relation} AS source({names})"
    )
    if one.file.format == "csv":
        connection.execute(
            f"""INSERT INTO rejected
                SELECT {position}, line, any_value(lower(CAST(error_type AS VARCHAR))), any_value(csv_line)
                FROM reject_errors GROUP BY line ORDER BY line"""
        )
        connection.execute("DROP TABLE reject_errors; DROP TABLE reject_scans")


@contextmanager
def _faults(file: SourceFile) -> Iterator[None]:
    """Turn what libraries raise about a file into our own errors, which name it."""
    import duckdb

    try:
        yield
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        raise EnvironmentFault("memory ran out while reading", place=file.name, fix="give the step more") from error
    except (duckdb.Error, csv.Error, OSError, EOFError, ValueError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise EnvironmentFault("the disk is full", place=str(error.filename), fix="free some space") from error
        message = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"cannot be read as {file.format}: {message}", place=file.name, fix="write the file again"
        ) from error
