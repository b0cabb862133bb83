# SPDX-License-Identifier: Apache-2.0
"""The report's evidence: gates, metrics, pictures and groups."""

from typing import Any

from components.evaluate.document import Document
from components.evaluate.groups import NOT_ASKED
from components.evaluate.report.charts import UNIT, Scale, interval_bar, line_chart, range_chart
from components.evaluate.report.markup import Html, join, tag
from components.evaluate.report.table import badge, estimate_cell, number, percent, section, table
from kelp.spec.metrics import METRICS

SYSTEMS = ("candidate", "champion", "legacy", "dummy")
SHOWN_GROUPS = 30


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
        picture = tag("div", bar, tag("small", f"{words} on {number(estimate['support'])} rows"))
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


def pictures_section(document: Document) -> Html:
    """Return the curves, the calibration and the confusion matrix, whichever the task has."""
    pictures, figures = document["pictures"], []
    for key, title, axes, is_diagonal in (
        ("roc", "ROC curve", ("false positive rate", "true positive rate"), True),
        ("precisionRecall", "Precision and recall", ("recall", "precision"), False),
    ):
        if key in pictures:
            lines = {
                name: list(zip(pictures[key][name]["x"], pictures[key][name]["y"], strict=True))
                for name in SYSTEMS
                if name in pictures[key]
            }
            figures.append(line_chart(title, axes, lines, is_diagonal=is_diagonal))
    if "calibration" in pictures:
        points = [(b["predicted"], b["observed"], b["low"], b["high"]) for b in pictures["calibration"]]
        figures.append(range_chart("Calibration", ("predicted probability", "observed share"), points, UNIT))
    if "tenths" in pictures:
        figures.append(_tenths(pictures["tenths"]))
    parts = [tag("div", *figures, class_="figures")]
    if "confusion" in pictures:
        parts.append(_confusion(pictures["confusion"]))
    return section("Behaviour", *parts)


def _tenths(tenths: list[dict[str, float]]) -> Html:
    points = [(b["predicted"], b["observed"], b["observed"], b["observed"]) for b in tenths]
    both = [number for point in points for number in point[:2]]
    ends = (min(both), max(both))
    return range_chart(
        "Predicted and observed, by tenths", ("mean prediction", "mean value"), points, Scale(ends, ends)
    )


def _confusion(confusion: dict[str, Any]) -> Html:
    rows = [
        [name, *[f"{cell:,} ({percent(cell / max(sum(row), 1))})" for cell in row]]
        for name, row in zip(confusion["classes"], confusion["matrix"], strict=True)
    ]
    return table("Confusion: true class (row), label (column), share of the row", ["", *confusion["classes"]], rows)


def groups_section(document: Document) -> Html | None:
    """Return the candidate's metrics in each protected group; nothing if none is declared."""
    if not document["groups"]:
        return None
    parts = []
    for column, groups in document["groups"].items():
        shown = sorted(groups, key=lambda group: (-group["rows"], group["group"]))[:SHOWN_GROUPS]
        names = sorted(groups[0]["metrics"], key=lambda name: _is_bare(shown[0]["metrics"][name]))
        rows = [
            [group["group"], number(group["rows"]), *[_group_cell(group["metrics"][name]) for name in names]]
            for group in shown
        ]
        more = f", the largest {SHOWN_GROUPS} of {len(groups)}" if len(groups) > SHOWN_GROUPS else ""
        parts.append(table(f"Groups of {column}{more}", ["group", "rows", *names], rows, class_="wide"))
    note = (
        "The candidate in each group. Intervals of small groups are wide, and groups whose intervals overlap may not "
        "differ at all. Metrics that need a bootstrap have an interval where a gate asks for one."
    )
    return section("Protected groups", tag("p", note, class_="quiet"), *parts)


def _is_bare(estimate: dict[str, Any]) -> bool:
    return bool(estimate["reason"] == NOT_ASKED)


def _group_cell(estimate: dict[str, Any]) -> Html:
    return join(number(estimate["value"])) if _is_bare(estimate) else estimate_cell(estimate)
