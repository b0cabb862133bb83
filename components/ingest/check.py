# SPDX-License-Identifier: Apache-2.0
"""File by file: first look at all values, then, once the columns are decided, write the checked rows.

A file that gave its part in an earlier run is not read.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.ingest.contract import Checked, checked_rows
from components.ingest.faults import file_faults
from components.ingest.look import Look, look_at, look_from_values
from components.ingest.parts import Parts, decision_key, file_key
from components.ingest.progress import Progress
from components.ingest.read import Raw, read_file
from components.ingest.source import SourceFile
from components.ingest.sql import literal
from kelp.parquet import file_digest
from kelp.spec.data import Csv

_MANY_COLUMNS = 200  # DuckDB then takes longer to look for equal expressions than to compute them twice
_CELLS_A_GROUP = 20_000_000  # of a part's row groups, which are built in memory


class Reader:
    """The files of one source; `look` comes before `check`."""

    def __init__(
        self, connection: Any, files: Sequence[SourceFile], declared: Csv, scratch: Path, parts: Parts
    ) -> None:
        self._connection = connection
        self._files = files
        self._declared = declared
        self._scratch = scratch
        self._parts = parts
        self._raws: dict[int, Raw] = {}  # of the files that had to be read, by number
        self._keys: list[str] = []
        self.digests: list[dict[str, str]] = []  # `path` and `sha256` of each file
        self.looks: list[tuple[str, Look]] = []

    @property
    def paths(self) -> list[Path]:
        """Where the checked rows of each file lie."""
        return [self._parts.path(number) for number in range(len(self._files))]

    @property
    def reused(self) -> int:
        """How many files did not have to be read."""
        return len(self._files) - len(self._raws)

    def look(self, progress: Progress) -> list[tuple[str, Look]]:
        """Return the name of each file and what is known of it."""
        for number, file in enumerate(self._files):
            with file_faults(file):
                sha256 = file_digest(file.path)
                key = file_key(file, sha256, self._declared)
                self._keys.append(key)
                kept = self._parts.look(file.name, key)
                look = look_from_values(kept) if kept else look_at(self._connection, self._raw(number))
            if not kept:
                self._parts.made_look(key, look.to_values())
            self.digests.append({"path": file.name, "sha256": sha256})
            self.looks.append((file.name, look))
            progress.add(look.rows)
        return self.looks

    def check(self, columns: tuple[Checked, ...], progress: Progress) -> None:
        """Write each file's checked rows to its path."""
        if len(columns) > _MANY_COLUMNS:
            self._connection.execute("SET disabled_optimizers = 'common_subexpressions'")
        for number, (file, (_, look)) in enumerate(zip(self._files, self.looks, strict=True)):
            rows = checked_rows(columns, f"(SELECT _row, {_cells(columns, look)} FROM raw)")
            decision = decision_key(rows)
            if not self._parts.fetch(file.name, self._keys[number], decision, number):
                with file_faults(file):
                    self._write(number, columns, rows)
                self._parts.made_rows(self._keys[number], decision, number)
            progress.add(look.rows)

    def _raw(self, number: int) -> Raw:
        if number not in self._raws:
            file = self._files[number]
            self._raws[number] = read_file(self._connection, file, number, self._declared, self._scratch)
        return self._raws[number]

    def _write(self, number: int, columns: tuple[Checked, ...], rows: str) -> None:
        raw = self._raw(number)
        parts = [f"SELECT *, false AS _is_line FROM ({rows})"]
        if raw.rejected:
            values = ", ".join(f"NULL AS {column.value}" for column in columns)
            parts.append(f"SELECT line AS _row, {values}, reason, content, true FROM {raw.rejected} ORDER BY line")
        target = literal(str(self._parts.path(number)))
        group = max(2048, min(122_880, _CELLS_A_GROUP // len(columns)))
        self._connection.execute(f"CREATE OR REPLACE TEMP VIEW raw AS FROM {raw.relation}")
        self._connection.execute(
            f"COPY ({' UNION ALL '.join(f'({part})' for part in parts)}) TO {target} "
            f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {group})"
        )


def _cells(columns: tuple[Checked, ...], look: Look) -> str:
    """SQL: the columns of one file in the order and the types of the whole source."""
    places = {name: position for position, name in enumerate(look.types)}
    return ", ".join(f"CAST(c{places[column.name]} AS {column.raw_type}) AS {column.cell}" for column in columns)
