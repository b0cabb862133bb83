# SPDX-License-Identifier: Apache-2.0
"""What moved a row's score, and the values that it was computed from, as a person reads them on a terminal."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kelp.cli.session import Session

if TYPE_CHECKING:
    from kelp.frame.contributions import Contribution
    from kelp.frame.transform import Column, RawColumn, Transform

PRIVATE = "private"
_BAR = 16  # characters to each side
_LEFT_OUT = 0.005  # of the largest contribution: smaller ones share a line
_LONGEST = 40


def print_contribution(
    session: Session, title: str, row: "Contribution", values: Mapping[str, str], transform: "Transform"
) -> None:
    """A line of result, then one line a column; what hardly moved the score shares a line."""
    of = f" of {printable(row.class_name)}" if row.class_name else ""
    session.out.print(f"{title}: score{of} {row.score:.6g}", style="bold", markup=False)
    scale = "log-odds" if row.scale == "margin" and transform.task == "binary" else row.scale
    largest = max(map(abs, row.columns.values())) or 1.0
    ranked = sorted(row.columns, key=lambda name: (-abs(row.columns[name]), name))
    shown = [name for name in ranked if abs(row.columns[name]) >= _LEFT_OUT * largest]
    rest = sum(row.columns[name] for name in ranked[len(shown) :])
    lines = [["on average", "", f"{row.base:.4g}", ""]]
    lines += [[printable(name), values[name], _signed(row, name), _bar(row.columns[name] / largest)] for name in shown]
    if len(shown) < len(ranked):
        lines.append([f"{len(ranked) - len(shown)} others", "", f"{rest:+.4g}", ""])
    lines.append(["together", "", f"{row.total:.4g}", ""])
    session.print_table(["column", "value", f"moves the {scale} by", ""], lines)
    session.out.print()


def values_of_columns(transform: "Transform", columns: "Mapping[str, Column]", row: int) -> dict[str, str]:
    """The cells of a row that its score was computed from."""
    declared = (*transform.columns, *transform.window_columns)
    return {column.name: _cell_text(column, columns[column.name][row]) for column in declared}


def _cell_text(column: "RawColumn", value: Any) -> str:
    """A cell in the representation that `kelp.frame.transform` states."""
    if column.private:
        return PRIVATE
    if value is None or value != value:
        return value_text(None)
    if column.type == "timestamp":
        moment = datetime.fromtimestamp(float(value), UTC)
        return moment.isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")
    return value_text(bool(value) if column.type == "bool" else value)


def value_text(value: Any) -> str:
    """A JSON value, whoever it came from."""
    if value is None or value != value:
        return "missing"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.10g}" if isinstance(value, float) else printable(str(value)[:_LONGEST])


def printable(text: str) -> str:
    """A text of somebody else on one line: what a terminal would obey, or not show, is written as its escape."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def _signed(row: "Contribution", name: str) -> str:
    error = f" ± {2 * row.errors[name]:.2g}" if row.errors is not None else ""
    return f"{row.columns[name]:+.4g}{error}"


def _bar(share: float) -> str:
    """A bar from the middle: to the left for what lowers the score, to the right for what raises it."""
    length = max(1, round(abs(share) * _BAR))
    return ("█" * length).rjust(_BAR) + "│" if share < 0 else " " * _BAR + "│" + "█" * length
