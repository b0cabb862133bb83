# SPDX-License-Identifier: Apache-2.0
"""Numbers, results and tables as the report writes them."""

from collections.abc import Sequence
from typing import Any

from components.evaluate.report.markup import Child, Html, join, tag

RESULTS = {"pass": ("✔", "Pass"), "fail": ("✘", "Fail"), "undecided": ("?", "Undecided")}


def number(value: float | None) -> str:
    """Write a number with four significant digits, a count with separators, a missing one as a dash."""
    if value is None:
        return "–"
    if isinstance(value, int) or (float(value).is_integer() and abs(value) >= 1000):
        return f"{value:,.0f}"
    return f"{value:.4g}"


def percent(share: float) -> str:
    """Write a share as a percentage with three significant digits."""
    return f"{100 * share:.3g} %"


def badge(result: str) -> Html:
    """Return a gate's result as mark and word, so that colour carries nothing alone."""
    mark, word = RESULTS[result]
    return tag("span", tag("span", mark, aria_hidden="true"), f" {word}", class_=f"badge {result}")


def estimate_cell(estimate: dict[str, Any] | None) -> Html:
    """Return value over interval; the reason where there is no interval."""
    if estimate is None:
        return tag("span", "–")
    if estimate["low"] is None:
        return join(number(estimate["value"]), tag("small", estimate["reason"]))
    return join(number(estimate["value"]), tag("small", f"{number(estimate['low'])} to {number(estimate['high'])}"))


def table(caption: str, header: Sequence[str], rows: Sequence[Sequence[Child]], *, class_: str = "") -> Html:
    """Return a table that scrolls sideways in its own box, under its caption; a row's first cell is its heading."""
    head = tag("thead", tag("tr", *[tag("th", name, scope="col") for name in header]))
    body = tag("tbody", *[_row(row) for row in rows])
    grid = tag("table", head, body, class_=class_ or None, aria_label=caption)
    box = tag("div", grid, class_="scroll", tabindex="0", role="region", aria_label=caption)
    return join(tag("p", caption, class_="caption"), box)


def _row(cells: Sequence[Child]) -> Html:
    first, *rest = cells
    return tag("tr", tag("th", first, scope="row"), *[tag("td", cell) for cell in rest])


def facts(pairs: Sequence[tuple[str, Child]]) -> Html:
    """Return name and value pairs; those with an empty value are left out."""
    return tag("dl", *[tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs if value])


def section(title: str, *children: Child) -> Html:
    """Return a section under its heading."""
    return tag("section", tag("h2", title), *children)
