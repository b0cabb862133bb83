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
        connection: has `checked`, `rejected` and `files`.
        model: says how many bad rows are allowed, and which column is the id.
        columns: of `checked`.
        place: the source's address.
        counts: good and bad rows.

    Raises:
        DataError: no rows, no good rows, more bad rows than allowed, or an id that stands twice.
    """
    good, bad = counts
    allowed = model.spec.data.max_bad_rows
    if good + bad == 0:
        raise DataError("expected rows, found only column names", place=place, fix="check what wrote the source")
    if bad > (good + bad) * allowed or good == 0:
        raise DataError(
            f"expected at most {format_percent(allowed)} bad rows, found {bad} of {good + bad}; "
            f"first: {_first(connection)}",
            place=place,
            fix="mend the data, widen the contract, or raise spec.data.maxBadRows",
        )
    identity = next((column for column in columns if column.name == model.spec.data.id), None)
    if identity is not None:
        _refuse_duplicates(connection, identity)


def _refuse_duplicates(connection: Any, identity: Checked) -> None:
    twice = connection.execute(
        f"""WITH twice AS (
              SELECT {identity.value} AS value FROM checked WHERE _reason IS NULL GROUP BY ALL HAVING count(*) > 1
            )
            SELECT name, _row FROM checked JOIN twice ON {identity.value} = value JOIN files ON _file = position
            WHERE _reason IS NULL
            QUALIFY value = first_value(value) OVER (ORDER BY _file, _row)
            ORDER BY _file, _row LIMIT 2"""
    ).fetchall()
    if twice:
        (file, row), (other_file, other_row) = twice
        raise DataError(
            f"expected a different {identity.name!r} in every row, found that of row {row} again "
            f"in {other_file}, row {other_row}",
            place=f"{file}, row {row}",
            fix="remove the duplicates, or leave out spec.data.id",
        )


def _first(connection: Any) -> str:
    """The first bad row, and why it is one."""
    row = connection.execute(
        """SELECT name || place FROM (
             SELECT _file, 0 AS kind, _row AS number, ', row ' || _row || ': ' || _reason AS place
             FROM checked WHERE _reason IS NOT NULL
             UNION ALL SELECT _file, 1, line, ', line ' || line || ': ' || reason FROM rejected
           ) JOIN files ON _file = position ORDER BY _file, kind, number LIMIT 1"""
    ).fetchone()
    return str(row[0])
