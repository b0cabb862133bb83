# SPDX-License-Identifier: Apache-2.0
"""The report's metrics on parts of the rows: protected groups, and slices on which models are often worse."""

from collections.abc import Sequence
from typing import Any

from components.evaluate.document import Document
from components.evaluate.groups import NOT_ASKED
from components.evaluate.report.markup import Html, join, tag
from components.evaluate.report.table import estimate_cell, number, section, table

SHOWN_GROUPS = 30


def groups_section(document: Document) -> Html | None:
    """Return the candidate's metrics in each protected group; nothing if none is declared."""
    if not document["groups"]:
        return None
    parts = []
    for column, groups in document["groups"].items():
        shown = sorted(groups, key=lambda group: (-group["rows"], group["group"]))[:SHOWN_GROUPS]
        more = f", the largest {SHOWN_GROUPS} of {len(groups)}" if len(groups) > SHOWN_GROUPS else ""
        parts.append(_table(f"Groups of {column}{more}", "group", shown))
    note = (
        "The candidate in each group. Intervals of small groups are wide, and groups whose intervals overlap may not "
        "differ at all. Metrics that need a bootstrap have an interval where a gate asks for one."
    )
    return section("Protected groups", tag("p", note, class_="quiet"), *parts)


def slices_section(document: Document) -> Html | None:
    """Return the candidate's metrics on each slice; nothing if none has enough rows."""
    if not document["slices"]:
        return None
    note = "Rows on which models are often worse; a row may be in several. Only slices of 30 rows or more are shown."
    return section(
        "Slices", tag("p", note, class_="quiet"), _table("The candidate on them", "slice", document["slices"])
    )


def _table(caption: str, key: str, parts: Sequence[dict[str, Any]]) -> Html:
    first = parts[0]["metrics"]
    names = sorted(
        (name for name in first if any(part["metrics"][name]["value"] is not None for part in parts)),
        key=lambda name: _is_bare(first[name]),
    )
    rows = [[part[key], number(part["rows"]), *[_cell(part["metrics"][name]) for name in names]] for part in parts]
    return table(caption, [key, "rows", *names], rows, class_="wide")


def _is_bare(estimate: dict[str, Any]) -> bool:
    return bool(estimate["reason"] == NOT_ASKED)


def _cell(estimate: dict[str, Any]) -> Html:
    return join(number(estimate["value"])) if _is_bare(estimate) else estimate_cell(estimate)
