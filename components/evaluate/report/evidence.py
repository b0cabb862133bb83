# SPDX-License-Identifier: Apache-2.0
"""The report's evidence: warnings, gates and metrics."""

from typing import Any

from components.evaluate.document import Document
from components.evaluate.report.charts import interval_bar
from components.evaluate.report.markup import Html, join, tag
from components.evaluate.report.table import badge, estimate_cell, number, percent, section, table
from kelp.spec.metrics import METRICS

SYSTEMS = ("candidate", "champion", "legacy", "dummy")


def warnings_section(document: Document) -> Html | None:
    """Return what may make the evaluation worthless, for the top of the page; nothing if nothing was found."""
    if not document["warnings"]:
        return None
    items = [tag("li", text) for text in document["warnings"]]
    return tag("section", tag("h2", "Warnings"), tag("ul", *items), class_="warnings")


def gates_section(document: Document) -> Html:
    """Return each gate with its interval held against its limit."""
    if not document["gates"]:
        return section("Gates", tag("p", "The spec declares no gates.", class_="quiet"))
    rule = (
        f"A gate passes only if the whole {percent(document['confidence'])} interval is on the good side of the limit "
        "(the vertical line), fails if none of it is, and is undecided otherwise."
    )
    return section("Gates", tag("p", rule, class_="quiet"), tag("ul", *map(_gate, document["gates"]), class_="gates"))


def _gate(gate: dict[str, Any]) -> Html:
    estimate = gate["estimate"]
    picture = None
    if estimate is not None and estimate["low"] is not None:
        bar = interval_bar(estimate["value"], estimate["low"], estimate["high"], gate["limit"], gate["result"])
        words = f"{number(estimate['value'])} ({number(estimate['low'])} to {number(estimate['high'])})"
        picture = tag("div", bar, tag("small", f"{words} on {number(estimate['support'])} {estimate['unit']}"))
    text = tag("div", tag("b", gate["gate"]), tag("small", gate["why"]))
    return tag("li", badge(gate["result"]), text, picture)


def metrics_section(document: Document) -> Html:
    """Return every metric of every system, with the candidate's paired improvement over the others."""
    present = [name for name in SYSTEMS if "metrics" in document["systems"][name]]
    names = document["systems"]["candidate"]["metrics"]
    rows = [[_metric_name(name), *[_metric_cell(document, system, name) for system in present]] for name in names]
    absent = [
        tag("li", tag("b", name), f": {document['systems'][name]['reason']}")
        for name in SYSTEMS
        if "reason" in document["systems"][name]
    ]
    notes = [tag("li", tag("b", name), f": {note}") for name, note in document["notes"].items()]
    rule = f"Value over its {percent(document['confidence'])} interval; all systems on the same held-out rows."
    return section(
        "Metrics", table(rule, ["metric", *present], rows, class_="metrics"), tag("ul", *absent, *notes, class_="quiet")
    )


def _metric_name(name: str) -> Html:
    info = METRICS[name]
    arrow = {True: " ↑", False: " ↓", None: ""}[info.higher_is_better]
    words = {True: "higher is better", False: "lower is better", None: None}[info.higher_is_better]
    return join(name, tag("span", arrow, title=words), tag("small", info.meaning))


def _metric_cell(document: Document, system: str, name: str) -> Html:
    found = document["systems"][system]
    better = found["improvement"].get(name)
    if better is None or better["low"] is None:
        return estimate_cell(found["metrics"][name])
    kind = "better" if better["low"] > 0 else "worse" if better["high"] < 0 else "even"
    lead = {"better": "candidate better by ", "worse": "candidate worse by ", "even": "no clear difference, "}[kind]
    size = f"{better['value']:+.3g}" if kind == "even" else f"{abs(better['value']):.3g}"
    words = f"{lead}{size} ({better['low']:+.3g} to {better['high']:+.3g})"
    return join(estimate_cell(found["metrics"][name]), tag("small", words, class_=f"difference {kind}"))
