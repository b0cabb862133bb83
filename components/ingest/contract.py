# SPDX-License-Identifier: Apache-2.0
"""The columns' contract as SQL over `raw`: one cast and one list of checks a column, and what is inferred."""

import math
from dataclasses import dataclass
from typing import Any

from components.ingest.read import literal, quote
from kelp.errors import DataError
from kelp.spec import Column, Model

MISSING_WORDS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
MAX_CATEGORIES = 200


@dataclass(frozen=True, slots=True)
class Checked:
    """One column: its type in the snapshot, how raw values become it, and what breaks its contract."""

    name: str
    type: str
    is_text: bool
    required: bool
    column: Column | None

    @property
    def quoted(self) -> str:
        """The column as a SQL identifier."""
        return quote(self.name)

    @property
    def present(self) -> str:
        """SQL: the raw value, NULL where it is one of the words for missing."""
        if not self.is_text:
            return f"CASE WHEN {_is_nan(self.quoted)} THEN NULL ELSE {self.quoted} END"
        words = ", ".join(literal(word) for word in MISSING_WORDS)
        return f"CASE WHEN trim({self.quoted}) IN ({words}) THEN NULL ELSE trim({self.quoted}) END"

    @property
    def cast(self) -> str:
        """SQL: the value in the column's type, NULL where it is missing or does not fit."""
        return _cast(self.present, self.type)


@dataclass(frozen=True, slots=True)
class Reading:
    """Every column of the snapshot, in the order of the source."""

    columns: tuple[Checked, ...]
    id: str | None


def _is_nan(value: str) -> str:
    return f"CAST({value} AS VARCHAR) IN ('nan', 'NaN')"


def _cast(value: str, kind: str) -> str:
    number = f"TRY_CAST({value} AS DOUBLE)"
    match kind:
        case "int":
            return f"CASE WHEN isfinite({number}) AND {number} = floor({number}) THEN TRY_CAST({number} AS BIGINT) END"
        case "float":
            return f"CASE WHEN isfinite({number}) THEN {number} END"
        case "bool":
            text = f"lower(CAST({value} AS VARCHAR))"
            return f"CASE WHEN {text} IN ('true', 't', '1') THEN true WHEN {text} IN ('false', 'f', '0') THEN false END"
        case "timestamp":
            time = f"TRY_CAST({value} AS TIMESTAMPTZ)"
            return f"CASE WHEN isfinite({time}) THEN {time} AT TIME ZONE 'UTC' END"
    return f"CAST({value} AS VARCHAR)"


def infer(connection: Any, model: Model, source: dict[str, str]) -> Reading:
    """Decide every column's type: as declared, else by its role, else the narrowest that its values fit.

    Raises:
        DataError: a column that the spec names is not in the source, or an undeclared one is, and that is refused.
    """
    data = model.spec.data
    roles = {"target": data.target, "id": data.id, "time": data.time, "entity": data.entity}
    wanted = [name for name in (*roles.values(), *data.columns) if name]
    if model.spec.legacy and model.spec.legacy.column:
        wanted.append(model.spec.legacy.column)
    for name in wanted:
        if name not in source:
            raise DataError(
                f"expected a column {name!r}, found {', '.join(list(source)[:12])}",
                place=data.source,
                fix="correct the name in the spec or the data",
            )
    undeclared = [name for name in source if name not in wanted]
    if data.columns_closed and undeclared:
        raise DataError(f"columnsClosed: undeclared column {undeclared[0]!r}", place=data.source, fix="declare it")
    required = {data.target, data.id, data.time}
    columns = []
    for name, raw_type in source.items():
        column = data.columns.get(name)
        checked = Checked(name, "string", raw_type == "VARCHAR", name in required, column)
        kind = column.type if column else _type_by_role(model, name)
        kind = kind or type_by_values(connection, checked, data.max_bad_rows)
        columns.append(Checked(name, "string" if kind == "text" else kind, checked.is_text, checked.required, column))
    return Reading(tuple(columns), data.id)


def _type_by_role(model: Model, name: str) -> str:
    data = model.spec.data
    if name == data.time:
        return "timestamp"
    if name in (data.id, data.entity):
        return "string"
    if name == data.target:
        return "float" if model.spec.task == "regression" else "category"
    return ""


def type_by_values(connection: Any, column: Checked, max_bad_rows: float) -> str:
    """The first type that all but the share `max_bad_rows` of the values fit; else category or string."""
    kinds = ("bool", "int", "float", "timestamp") if not column.is_text else ("int", "float", "timestamp", "bool")
    fits = ", ".join(f"count({_cast('value', kind)})" for kind in kinds)
    present, distinct, *counts = connection.execute(
        f"SELECT count(value), approx_count_distinct(value), {fits} FROM (SELECT {column.present} AS value FROM raw)"
    ).fetchone()
    allowed = math.floor(present * max_bad_rows)
    for kind, count in zip(kinds, counts, strict=True):
        if present and count >= present - allowed and not (kind == "bool" and distinct > 2):
            return kind
    return "category" if distinct <= max(2, min(MAX_CATEGORIES, present // 5)) else "string"


def reason_expression(reading: Reading) -> str:
    """SQL: the first thing that is wrong with a row, or NULL."""
    cases = []
    for column in reading.columns:
        place = f"{column.name}: "
        found = f"|| left(CAST({column.present} AS VARCHAR), 40)"
        wrong_type = literal(f"{place}expected {column.type}, found ")
        cases.append(f"WHEN {column.cast} IS NULL AND {column.present} IS NOT NULL THEN {wrong_type} {found}")
        if column.required:
            cases.append(f"WHEN {column.present} IS NULL THEN {literal(f'{place}expected a value, found nothing')}")
        for limit, sign in ((_limit(column, "min"), ">="), (_limit(column, "max"), "<=")):
            if limit is not None:
                expected = literal(f"{place}expected a number {sign} {limit:g}, found ")
                cases.append(f"WHEN NOT ({column.cast} {sign} {limit!r}) THEN {expected} {found}")
    return f"CASE {' '.join(cases)} END"


def _limit(column: Checked, name: str) -> float | None:
    value = getattr(column.column, name) if column.column else None
    return None if value is None else float(value)


def refuse_bad_source(connection: Any, model: Model, place: str, good: int, bad: int) -> None:
    """Stop the run when the source as a whole breaks the contract.

    Raises:
        DataError: no rows, more bad rows than allowed, or an id that stands twice.
    """
    data = model.spec.data
    if good + bad == 0:
        raise DataError("expected rows, found only column names", place=place)
    if bad > (good + bad) * data.max_bad_rows:
        raise DataError(
            f"expected at most {data.max_bad_rows:.4%} bad rows, found {bad} of {good + bad}; "
            f"first: {_first(connection)}",
            place=place,
            fix="mend the data, widen the contract, or raise spec.data.maxBadRows",
        )
    if data.id is not None:
        twice = connection.execute(
            f"""SELECT any_value(_file), min(_row), max(_row) FROM checked WHERE _reason IS NULL
                GROUP BY {quote(data.id)} HAVING count(*) > 1 ORDER BY min(_row) LIMIT 1"""
        ).fetchone()
        if twice:
            raise DataError(
                f"expected a different {data.id!r} in every row, found one twice (rows {twice[1]} and {twice[2]})",
                place=twice[0],
                fix="remove the duplicates, or leave out spec.data.id",
            )


def _first(connection: Any) -> str:
    row = connection.execute(
        """SELECT _file || ', row ' || _row || ': ' || _reason FROM checked WHERE _reason IS NOT NULL
           UNION ALL SELECT file || ', line ' || line || ': ' || reason FROM rejected LIMIT 1"""
    ).fetchone()
    return str(row[0])
