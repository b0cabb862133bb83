# SPDX-License-Identifier: Apache-2.0
"""The columns' contract as SQL over `raw`: what is missing, what fits its type, what is wrong with a row."""

from dataclasses import dataclass

from components.ingest.spelling import Spelling, spelled
from components.ingest.sql import literal
from kelp.spec import Column

MISSING_WORDS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
TEXTS = ("string", "category", "text")  # what any value fits
_TRUE = ("true", "t", "1", "1.0")
_FALSE = ("false", "f", "0", "0.0")
_FLOAT32_MAX = "3.4028234663852886e38"  # a larger number has no place in a model's matrix, nor in a request
_FIRST_YEAR, _LAST_YEAR = "'0001-01-01'", "'9999-12-31 23:59:59.999999'"  # what a request's timestamp can be


@dataclass(frozen=True, slots=True)
class Checked:
    """One column: where it stands, its type in the snapshot, how raw values become it, and what it promises.

    Attributes:
        position: in the source; `raw` has the column as `c<position>`.
        raw_type: of that column; VARCHAR, BOOLEAN, BIGINT, HUGEINT, DOUBLE or TIMESTAMPTZ.
        required: whether a row without a value breaks the contract.
        column: what the spec declares; None for an undeclared column.
        spelling: how its numbers or times are written.
    """

    name: str
    position: int
    raw_type: str
    type: str
    required: bool = False
    column: Column | None = None
    spelling: Spelling = "plain"

    @property
    def cell(self) -> str:
        """SQL: the column in `raw`."""
        return f"c{self.position}"

    @property
    def value(self) -> str:
        """SQL: the column in `checked`, in its type."""
        return f"v{self.position}"


def present(cell: str, raw_type: str) -> str:
    """Return SQL: the value of a cell, NULL where it is one of the words for missing."""
    if raw_type == "DOUBLE":
        return f"CASE WHEN NOT isnan({cell}) THEN {cell} END"
    if raw_type != "VARCHAR":
        return cell
    # Not `IN (...)`: DuckDB makes a join of a long list, and a join does not keep the order of rows.
    words = ", ".join(literal(word) for word in MISSING_WORDS)
    return f"CASE WHEN NOT list_contains([{words}], trim({cell})) THEN trim({cell}) END"


def cast(value: str, kind: str, raw_type: str = "VARCHAR") -> str:
    """Return SQL: the present value in the snapshot's type `kind`, NULL where it does not fit."""
    number = f"TRY_CAST({value} AS DOUBLE)"
    match kind:
        case "int":
            return f"CASE WHEN {number} = floor({number}) AND isfinite({number}) THEN TRY_CAST({value} AS BIGINT) END"
        case "float":
            return f"CASE WHEN abs({number}) <= {_FLOAT32_MAX} THEN {number} END"
        case "bool":
            text = f"lower(CAST({value} AS VARCHAR))"
            return f"CASE WHEN {text} IN {_TRUE} THEN true WHEN {text} IN {_FALSE} THEN false END"
        case "timestamp":
            # DuckDB takes a microsecond to find that a text is no time; most are seen to be none by their fifth letter.
            is_likely = f"({value} LIKE '____-%' OR {value} LIKE '____/%')"
            likely = f"CASE WHEN {is_likely} THEN {value} END" if raw_type == "VARCHAR" else value
            time = f"TRY_CAST({likely} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"
            return f"CASE WHEN {time} BETWEEN TIMESTAMP {_FIRST_YEAR} AND TIMESTAMP {_LAST_YEAR} THEN {time} END"
    return f"CAST({value} AS VARCHAR)"


def checked_rows(columns: tuple[Checked, ...], relation: str) -> str:
    """Return the SQL of one file's rows: `_row`, every column in its type, `_reason` and `_content`.

    Both are NULL in a good row. Cell as it stood, present value, typed value and reason are layers, so that each is
    computed once.

    Args:
        columns: in the order of the source.
        relation: what may follow FROM; has `_row` and every column's cell.
    """
    stood = ", ".join(f"{column.cell} AS r{column.position}" for column in columns)
    found = ", ".join(f"{present(column.cell, column.raw_type)} AS {column.cell}" for column in columns)
    typed = ", ".join(
        f"{cast(spelled(column.cell, column.spelling), column.type, column.raw_type)} AS {column.value}"
        for column in columns
    )
    values = ", ".join(column.value for column in columns)
    cells = ", ".join(f"{literal(column.name)}, r{column.position}" for column in columns)
    cases = " ".join(case for column in columns for case in _cases(column))
    reason = f"CASE {cases} END" if cases else "CAST(NULL AS VARCHAR)"
    return f"""
        SELECT _row, {values}, _reason,
               CASE WHEN _reason IS NOT NULL THEN CAST(json_object({cells}) AS VARCHAR) END AS _content
        FROM (SELECT *, {reason} AS _reason
        FROM (SELECT *, {typed}
        FROM (SELECT _row, {stood}, {found} FROM {relation})))"""


def _cases(column: Checked) -> list[str]:
    """What can be wrong with a column's value, each as `WHEN condition THEN reason`."""
    is_shown = column.column is None or column.column.privacy == "none"
    found = f"left(CAST({column.cell} AS VARCHAR), 40)" if is_shown else "'a value that is private'"
    cases = []
    if column.type not in TEXTS:
        wrong_type = literal(f"{column.name}: expected {column.type}, found ")
        cases.append(f"WHEN {column.value} IS NULL AND {column.cell} IS NOT NULL THEN {wrong_type} || {found}")
    if column.required:
        absent = literal(f"{column.name}: expected a value, found nothing")
        cases.append(f"WHEN {column.cell} IS NULL THEN {absent}")
    for limit, sign in ((_limit(column, "min"), ">="), (_limit(column, "max"), "<=")):
        if limit is not None:
            expected = literal(f"{column.name}: expected a number {sign} {limit:g}, found ")
            cases.append(f"WHEN NOT ({column.value} {sign} CAST({limit!r} AS DOUBLE)) THEN {expected} || {found}")
    return cases


def _limit(column: Checked, name: str) -> float | None:
    value = getattr(column.column, name) if column.column else None
    return None if value is None else float(value)
