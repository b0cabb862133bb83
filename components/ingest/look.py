# SPDX-License-Identifier: Apache-2.0
"""What is known of a file, and of a whole source, once its values have been counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.ingest.read import EMPTY, Raw
from components.ingest.schema import common_types
from components.ingest.statistics import ColumnStatistics, column_statistics, measure, merged


@dataclass(frozen=True, slots=True)
class Look:
    """One file: its rows that are rows, its columns in its own order, their statistics, and how it was read.

    Attributes:
        types: the type of each column in `raw`.
        decimal: as in `read.Raw`.
        assumed: as in `read.Raw`.
    """

    rows: int
    types: Mapping[str, str]
    statistics: Mapping[str, ColumnStatistics]
    decimal: str
    assumed: str

    def to_values(self) -> dict[str, Any]:
        """Return what JSON can hold; the order of the columns is kept in a list."""
        return {
            "rows": self.rows,
            "columns": [[name, kind, self.statistics[name].to_values()] for name, kind in self.types.items()],
            "decimal": self.decimal,
            "assumed": self.assumed,
        }


def look_from_values(values: Mapping[str, Any]) -> Look:
    """Return the Look that `to_values` was called on."""
    types = {name: kind for name, kind, _ in values["columns"]}
    statistics = {name: column_statistics(found) for name, _, found in values["columns"]}
    return Look(values["rows"], types, statistics, values["decimal"], values["assumed"])


def look_at(connection: Any, raw: Raw) -> Look:
    """Count the values of one file."""
    types = {name: "VARCHAR" if kind == EMPTY else kind for name, kind in raw.columns.items()}
    rows, statistics = measure(connection, raw.relation, types, raw.decimal)
    return Look(rows, raw.columns, statistics, raw.decimal, raw.assumed)


@dataclass(frozen=True, slots=True)
class Table:
    """All files of a source: one schema, and the statistics of each column.

    Attributes:
        types: the type of each column in `raw`, in the order of the first file.
        has_commas: whether numbers are declared to have decimal commas.
    """

    rows: int
    types: Mapping[str, str]
    statistics: Mapping[str, ColumnStatistics]
    has_commas: bool


def whole_table(files: Sequence[tuple[str, Look]]) -> Table:
    """Return what all files have in common.

    Args:
        files: the name and the look of each, at least one.

    Raises:
        DataError: they are not of one schema.
    """
    types = common_types([(name, look.types) for name, look in files])
    looks = [look for _, look in files]
    statistics = {name: merged((look.rows, look.statistics[name]) for look in looks) for name in types}
    return Table(sum(look.rows for look in looks), types, statistics, any(look.decimal == "," for look in looks))
