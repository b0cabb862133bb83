# SPDX-License-Identifier: Apache-2.0
"""What the values of one file's columns look like: counts from which types are decided, without the values.

Counts of files add up, so that a file which did not change need not be read again (`components.ingest.parts`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from components.ingest.contract import cast, present
from components.ingest.spelling import offset, spelled
from components.ingest.sql import answers

CANDIDATES = {  # the types that a column may get, by its type in `raw`; tried in this order
    "VARCHAR": ("int", "float", "timestamp", "bool"),
    "BOOLEAN": ("bool",),
    "TIMESTAMPTZ": ("timestamp",),
}
NUMBERS = ("int", "float")
MAX_CATEGORIES = 200
_FEW = 2 * MAX_CATEGORIES  # the first count of distinct values is off by some percent
_SPELLED = ("int comma", "float comma", "timestamp day-first", "timestamp month-first")


@dataclass(frozen=True, slots=True)
class ColumnStatistics:
    """Counts over the present values of one column.

    Attributes:
        present: how many there are.
        fits: how many fit a type, by `int`, `float`, ..., and `int comma`, `timestamp day-first`, ...
        commas: how many of those that fit `float comma` have a comma.
        letters: of all values together.
        first_other: the first row (from 1) that is no plain number; None if all are.
        marks: a short hash of every distinct value, sorted; None if there are more than some hundred.
        offsets: the distances to UTC among timestamps, sorted.
    """

    present: int = 0
    fits: Mapping[str, int] = field(default_factory=dict)
    commas: int = 0
    letters: int = 0
    first_other: int | None = None
    marks: tuple[str, ...] | None = ()
    offsets: tuple[str, ...] = ()

    def to_values(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return asdict(self)


def column_statistics(values: Mapping[str, Any]) -> ColumnStatistics:
    """Return what `to_values` was called on."""
    marks = values["marks"]
    found = {"marks": None if marks is None else tuple(marks), "offsets": tuple(values["offsets"])}
    return ColumnStatistics(**{**values, **found})


def measure(
    connection: Any, relation: str, types: Mapping[str, str], decimal: str
) -> tuple[int, dict[str, ColumnStatistics]]:
    """Return the rows of a file's relation, and the statistics of its columns.

    Args:
        connection: has the relation.
        relation: with `_row`, `c0`, `c1`, ...
        types: the type in `raw` of each column.
        decimal: which commas in numbers are looked for: `.` none, `,` in all columns, `` in those that need them.
    """
    rows: int = connection.execute(f"SELECT count(*) FROM {relation}").fetchone()[0]
    found: dict[str, dict[str, Any]] = {name: {} for name in types}
    cells = {name: f"c{position}" for position, name in enumerate(types)}

    def ask(names: Sequence[str], raw_type: str, look: Mapping[str, str]) -> None:
        asked = [cells[name] for name in names]
        for name, answer in zip(
            names,
            answers(connection, relation, asked, present("v", raw_type), list(look.values()), rows),
            strict=True,
        ):
            found[name] |= zip(look, answer, strict=True)

    for raw_type in dict.fromkeys(types.values()):
        names = [name for name in types if types[name] == raw_type]
        ask(names, raw_type, _first_look(raw_type))
        for key, look in _second_looks(raw_type, decimal).items():
            if wanted := [name for name in names if _is_wanted(key, found[name], raw_type, decimal)]:
                ask(wanted, raw_type, look)
    return rows, {name: _statistics(raw_type, found[name]) for name, raw_type in types.items()}


def _first_look(raw_type: str) -> dict[str, str]:
    """Aggregates that every column needs, by name."""
    kinds = CANDIDATES.get(raw_type, NUMBERS)
    look = {"present": "count(v)", "distinct": "approx_count_distinct(v)"}
    look |= {kind: f"count({cast('v', kind, raw_type)})" for kind in kinds}
    if raw_type == "VARCHAR":
        look["first_other"] = f"min(_row) FILTER (v IS NOT NULL AND {cast('v', 'float')} IS NULL)"
        look["letters"] = "CAST(coalesce(sum(length(v)), 0) AS BIGINT)"
    return look


def _second_looks(raw_type: str, decimal: str) -> dict[str, dict[str, str]]:
    """Further aggregates by name, in groups that only some columns need."""
    looks = {"few": {"marks": "list(DISTINCT left(md5(CAST(v AS VARCHAR)), 16)) FILTER (v IS NOT NULL)"}}
    if raw_type != "VARCHAR":
        return looks
    looks["times"] = {"offsets": f"list(DISTINCT {offset('v')}) FILTER ({cast('v', 'timestamp')} IS NOT NULL)"}
    looks["dates"] = {
        f"timestamp {order}": f"count({cast(spelled('v', order), 'timestamp')})"
        for order in ("day-first", "month-first")
    }
    if decimal != ".":
        looks["commas"] = {f"{kind} comma": f"count({cast(spelled('v', 'comma'), kind)})" for kind in NUMBERS}
        looks["commas"]["commas"] = f"count({spelled('v', 'comma')}) FILTER (contains(v, ','))"
    return looks


def _is_wanted(key: str, found: Mapping[str, Any], raw_type: str, decimal: str) -> bool:
    if key == "few":
        return bool(found["distinct"] <= _FEW)
    if key == "times":
        return bool(found["timestamp"])
    is_plain = found["present"] == max(found[kind] for kind in CANDIDATES[raw_type])
    return not is_plain or (key == "commas" and decimal == ",")


def _statistics(raw_type: str, found: Mapping[str, Any]) -> ColumnStatistics:
    fits = {kind: found[kind] for kind in (*CANDIDATES.get(raw_type, NUMBERS), *_SPELLED) if kind in found}
    if raw_type == "VARCHAR" and found["int"] == found["present"]:  # 1234 is spelled alike with points and commas
        fits = dict.fromkeys(("int comma", "float comma"), found["int"]) | fits
    return ColumnStatistics(
        present=found["present"],
        fits=fits,
        commas=found.get("commas", 0),
        letters=found.get("letters", 0),
        first_other=found.get("first_other"),
        marks=tuple(sorted(found["marks"] or ())) if "marks" in found else None,
        offsets=tuple(sorted(found.get("offsets") or ())),
    )


def merged(parts: Iterator[tuple[int, ColumnStatistics]]) -> ColumnStatistics:
    """Return the statistics of a column over all files.

    Args:
        parts: the rows and the column's statistics of each file, in order.
    """
    total, before = ColumnStatistics(), 0
    for rows, part in parts:
        marks = None
        if total.marks is not None and part.marks is not None:
            marks = tuple(sorted({*total.marks, *part.marks}))
        first = total.first_other
        if first is None and part.first_other is not None:
            first = before + part.first_other
        total = ColumnStatistics(
            present=total.present + part.present,
            fits={kind: total.fits.get(kind, 0) + part.fits.get(kind, 0) for kind in {*total.fits, *part.fits}},
            commas=total.commas + part.commas,
            letters=total.letters + part.letters,
            first_other=first,
            marks=marks,
            offsets=tuple(sorted({*total.offsets, *part.offsets})),
        )
        before += rows
    return total
