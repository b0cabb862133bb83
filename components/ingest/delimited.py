# SPDX-License-Identifier: Apache-2.0
"""CSV files: the delimiter and the column names from their first line, and their bytes without gzip around them.

DuckDB is told everything, so that no row can make it guess another dialect. It also reads a gzip file that was cut off
without a word, so the unpacking, with its checksum, is done here.
"""

import csv
import gzip
import re
import shutil
from pathlib import Path
from typing import IO

from components.ingest.source import SourceFile
from components.ingest.sql import file_literal, literal
from kelp.errors import DataError

DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'"[^"]*"')


def read_header(file: SourceFile) -> tuple[str, list[str]]:
    """Return the delimiter and the column names.

    The delimiter is the one of `DELIMITERS` that stands most often in the first line, outside quotes.

    Raises:
        DataError: the line is empty or not UTF-8.
    """
    with _open_text(file.path) as stream:
        first_line = stream.readline()
        stream.seek(0)
        delimiter = max(DELIMITERS, key=_QUOTED.sub("", first_line).count)
        names = next(csv.reader(stream, delimiter=delimiter), [])
    place = f"{file.name}, line 1"
    if not any(names):
        raise DataError(
            "expected a line of column names, found an empty line", place=place, fix="write the names above the rows"
        )
    if any("\0" in name or _has_surrogate(name) for name in names):
        raise DataError("expected text in UTF-8, found another encoding", place=place, fix="save the file as UTF-8")
    return delimiter, names


def _open_text(path: Path) -> IO[str]:
    """Open plain or gzip; a byte that is not UTF-8 becomes a lone surrogate, to be found by whoever looks."""
    opener = gzip.open if _is_packed(path) else open
    return opener(path, "rt", encoding="utf-8-sig", newline="", errors="surrogateescape")


def _has_surrogate(name: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in name)


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def unpacked(file: SourceFile, scratch: Path) -> Path:
    """Return the path of the plain file, which for gzip is written to the folder `scratch`.

    Raises:
        OSError, EOFError, zlib.error: the gzip file is not one, was cut off, or its checksum differs.
    """
    if not _is_packed(file.path):
        return file.path
    plain = scratch / "unpacked.csv"
    with gzip.open(file.path, "rb") as source, plain.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    return plain


def read_csv(path: Path, delimiter: str, width: int) -> str:
    """Return the SQL that reads a plain CSV file of `width` columns as text, and keeps aside what is no row."""
    columns = ", ".join(f"c{position}: 'VARCHAR'" for position in range(width))
    return (
        f"read_csv({file_literal(path)}, columns={{{columns}}}, auto_detect=false, header=true, "
        f"hive_partitioning=false, delim={literal(delimiter)}, quote='\"', escape='\"', "
        "store_rejects=true, rejects_limit=0)"
    )
