# SPDX-License-Identifier: Apache-2.0
"""An answered request on a terminal: when, by what, and of each row what came, what was answered and what moved it."""

from collections.abc import Mapping, Sequence
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from kelp.cli.answered import Answered
from kelp.cli.contribution_table import print_contribution, printable, value_text, values_of_columns
from kelp.cli.session import Session

if TYPE_CHECKING:
    from kelp.frame.contributions import Contribution
    from kelp.frame.transform import Column, Transform

_LONGEST = 40
_MOST_LINES = 100


def print_answered(
    session: Session,
    answered: Answered,
    contributions: "Sequence[Contribution]",
    transform: "Transform",
    columns: "Mapping[str, Column] | None",
) -> None:
    """Print a request and as many of its rows as there are contributions; `columns` are what they come from."""
    session.out.print("\n".join(_head(answered)), markup=False)
    session.out.print()
    for number, (row, moved) in enumerate(zip(answered.rows(transform), contributions, strict=False), 1):
        given = row.get("inputs", row.get("features", {}))
        label = f" {printable(row['label'])}" if "label" in row else ""
        session.out.print(f"row {number}: answered {row['score']:.6g}{label}", style="bold", markup=False)
        session.print_table(["input" if columns is not None else "feature", "value"], _lines(given))
        session.out.print()
        cells = _cells(transform, given) if columns is None else values_of_columns(transform, columns, number - 1)
        print_contribution(session, f"row {number}", moved, cells, transform)


def _head(answered: Answered) -> list[str]:
    event = answered.event
    when = answered.time.isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")
    lines = [
        f"request  {printable(event.request_id)}",
        f"time     {when} UTC, took {1e3 * event.seconds:.3g} ms",
        f"model    {printable(event.model)} version {printable(event.version)}, arm {printable(event.arm)}",
    ]
    if answered.events > 1:
        lines.append(f"events   {answered.events} of this request id, of which this is the newest")
    return lines


def _lines(given: Mapping[str, Any]) -> list[list[str]]:
    """One a value, of which a row that came transformed may have thousands."""
    lines = [[printable(name), value_text(value)] for name, value in islice(given.items(), _MOST_LINES)]
    return [*lines, [f"{len(given) - _MOST_LINES} others", ""]] if len(given) > _MOST_LINES else lines


def _cells(transform: "Transform", features: Mapping[str, Any]) -> dict[str, str]:
    """By column, the features of it: all there is of a row that came transformed."""
    of_column = sorted(transform.features, key=lambda feature: feature.column)
    return {
        column: ", ".join(value_text(features[feature.name]) for feature in found)[:_LONGEST]
        for column, found in groupby(of_column, key=lambda feature: feature.column)
    }
