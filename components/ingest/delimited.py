# SPDX-License-Identifier: Apache-2.0
"""CSV files: how one is written, from its declaration and its first lines, and the SQL that reads it.

DuckDB is told everything, so that no row can make it guess another dialect.
"""

import csv
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from components.ingest.sql import file_literal, literal
from kelp.errors import DataError
from kelp.spec.data import Csv

DELIMITERS = ",;\t|"
MAX_LINE = 16 << 20  # bytes of one row; cells of a megabyte do occur
_SAMPLE = 1 << 16
_EXCEL = re.compile(r'"?sep=(.)"?\r?\n')  # a first line by which Excel knows the delimiter


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one file is written.

    Attributes:
        names: of the columns.
        skip: lines before the header, or before the rows if there is no header.
    """

    delimiter: str
    quote: str
    has_header: bool
    skip: int
    names: tuple[str, ...]


def read_dialect(path: Path, name: str, declared: Csv) -> Dialect:
    """Return how a plain UTF-8 file is written; what is declared is taken as it is.

    Raises:
        DataError: the first line is empty or not UTF-8.
    """
    has_header = declared.header is not False
    with _open_text(path) as stream:
        excel = _EXCEL.fullmatch(stream.readline(_SAMPLE))
        if not excel:
            stream.seek(0)
        start = stream.tell()
        sample = stream.read(_SAMPLE)
        stream.seek(start)
        quote = declared.quote or _quote(sample, declared.delimiter)
        delimiter = declared.delimiter or (excel[1] if excel else _delimiter(sample, quote, has_header))
        names = next(csv.reader(stream, delimiter=delimiter, quotechar=quote), [])
    place = f"{name}, line {2 if excel else 1}"
    if excel and ("\r\n" in sample) != excel[0].endswith("\r\n"):
        raise DataError("expected one kind of line ends, found two", place=place, fix="remove the line `sep=`")
    if not any(names):
        wanted = "a line of column names" if has_header else "a row"
        raise DataError(f"expected {wanted}, found an empty line", place=place, fix="write the names above the rows")
    if any("\ud800" <= letter <= "\udfff" for cell in names for letter in cell):
        raise DataError("expected text in UTF-8, found another encoding", place=place, fix="save the file as UTF-8")
    if not has_header:
        names = [f"column_{number}" for number in range(1, len(names) + 1)]
    return Dialect(delimiter, quote, has_header, 1 if excel else 0, tuple(names))


def _open_text(path: Path) -> IO[str]:
    """Open a file; a byte that is not UTF-8 becomes a lone surrogate, to be found by whoever looks."""
    return path.open(encoding="utf-8-sig", newline="", errors="surrogateescape")


def _quote(sample: str, delimiter: str | None) -> str:
    """Single quotes only if every row, the header aside, has a cell in them and no double quote is anywhere."""
    signs = re.escape(delimiter or DELIMITERS)
    cell = re.compile(rf"(?:^|[{signs}])'(?:[^']|'')*'(?:$|[{signs}])")
    rows = sample.splitlines()[1:50]
    return "'" if rows and '"' not in sample and all(cell.search(row) for row in rows[:-1] or rows) else '"'


def _delimiter(sample: str, quote: str, has_header: bool) -> str:
    """The sign that stands most often in the first line, outside quotes.

    Without a header the first line has values: of the signs that stand equally often in every line, the comma, which
    may be a decimal comma, comes last.
    """
    quoted = re.compile(f"{re.escape(quote)}[^{re.escape(quote)}]*{re.escape(quote)}")
    first, *others = quoted.sub("", sample).splitlines()[:-1] or [quoted.sub("", sample)]
    if not has_header:
        steady = [sign for sign in DELIMITERS if all(line.count(sign) == first.count(sign) > 0 for line in others)]
        wanted = next((sign for sign in reversed(steady) if sign in first), "")
        return wanted or max(DELIMITERS, key=first.count)
    return max(DELIMITERS, key=first.count)


def read_csv(path: Path, dialect: Dialect) -> str:
    """Return the SQL that reads a plain CSV file as text, and keeps aside what is no row."""
    columns = ", ".join(f"c{position}: 'VARCHAR'" for position in range(len(dialect.names)))
    quote = literal(dialect.quote)
    return (
        f"read_csv({file_literal(path)}, columns={{{columns}}}, auto_detect=false, "
        f"header={dialect.has_header}, skip={dialect.skip}, hive_partitioning=false, "
        f"delim={literal(dialect.delimiter)}, quote={quote}, escape={quote}, "
        f"max_line_size={MAX_LINE}, buffer_size={2 * MAX_LINE}, store_rejects=true, rejects_limit=0)"
    )


def has_rows(path: Path, dialect: Dialect) -> bool:
    """Whether anything that is not blank follows the header."""
    with _open_text(path) as stream:
        for _ in range(dialect.skip):
            stream.readline()
        rows = csv.reader(stream, delimiter=dialect.delimiter, quotechar=dialect.quote)
        found = islice((row for row in rows if any(row)), 1 + dialect.has_header)
        return len(list(found)) > dialect.has_header


def leaves_quote_open(path: Path, dialect: Dialect, position: int) -> bool:
    """Whether a quoted cell begins in the line at a byte position and does not end in it, and more lines follow.

    DuckDB takes everything up to the next quote for one broken row, which hides good rows.
    """
    with path.open("rb") as file:
        file.seek(position)
        line = file.readline()
        return bool(file.read(1)) and _leaves_open(line.decode("latin-1"), dialect)


def _leaves_open(line: str, dialect: Dialect) -> bool:
    is_open = is_closed = False
    before = dialect.delimiter
    for sign in line:
        if sign == dialect.quote:
            if is_open:
                is_open, is_closed = False, True
            elif is_closed or before == dialect.delimiter:
                is_open, is_closed = True, False
        elif not is_open:
            is_closed = False
        before = sign
    return is_open
