# SPDX-License-Identifier: Apache-2.0
"""Stop the run when the source as a whole breaks the contract."""

from typing import Any

from components.ingest.contract import Checked
from kelp.errors import DataError
from kelp.spec import Model
from kelp.spec.types import format_percent


def refuse_bad_source(
    connection: Any, model: Model, columns: tuple[Checked, ...], place: str, counts: tuple[int, int]
) -> None:
    """Refuse what no run can use.

    Args:
        connection: has `checked` and `files`.
        model: says how many bad rows are allowed, and which columns make a row its own.
        columns: of `checked`.
        place: the source's address.
        counts: good and bad rows.

    Raises:
        DataError: no rows, no good rows, more bad rows than allowed, an id that stands twice, or a series that has
            two rows of one time.
    """
    good, bad = counts
    data, allowed = model.spec.data, model.spec.data.max_bad_rows
    if good + bad == 0:
        raise DataError("expected rows, found only column names", place=place, fix="check what wrote the source")
    if bad > (good + bad) * allowed or good == 0:
        raise DataError(
            f"expected at most {format_percent(allowed)} bad rows, found {bad} of {good + bad}; "
            f"first: {_first(connection)}",
            place=place,
            fix="mend the data, widen the contract, or raise spec.data.maxBadRows",
        )
    if data.id is not None:
        _refuse_duplicates(connection, columns, (data.id,), "leave out spec.data.id")
    if data.series is not None and data.time is not None:
        names = (*data.series.key, data.time)
        _refuse_duplicates(connection, columns, names, "add the column that tells them apart to spec.data.series.key")


def _refuse_duplicates(connection: Any, columns: tuple[Checked, ...], names: tuple[str, ...], instead: str) -> None:
    values = ", ".join(column.value for column in columns if column.name in names)
    twice = connection.execute(
        f"""WITH good AS (SELECT _file, _row, {values} FROM checked WHERE _reason IS NULL),
                 twice AS (SELECT {values} FROM good GROUP BY ALL HAVING count(*) > 1),
                 places AS (FROM good SEMI JOIN twice USING ({values})),
                 first AS (FROM places ORDER BY _file, _row LIMIT 1)
            SELECT name, _row FROM places SEMI JOIN first USING ({values}) JOIN files ON _file = position
            ORDER BY _file, _row LIMIT 2"""
    ).fetchall()
    if twice:
        (file, row), (other_file, other_row) = twice
        shown = " and ".join(repr(name) for name in names)
        raise DataError(
            f"expected a different {shown} in every row, found that of row {row} again "
            f"in {other_file}, row {other_row}",
            place=f"{file}, row {row}",
            fix=f"remove the duplicates, or {instead}",
        )


def _first(connection: Any) -> str:
    """The first bad row, and why it is one."""
    row = connection.execute(
        """SELECT name || CASE WHEN _is_line THEN ', line ' ELSE ', row ' END || _row || ': ' || _reason
           FROM checked JOIN files ON _file = position WHERE _reason IS NOT NULL
           ORDER BY _file, _is_line, _row LIMIT 1"""
    ).fetchone()
    return str(row[0])
