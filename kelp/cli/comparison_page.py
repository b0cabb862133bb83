# SPDX-License-Identifier: Apache-2.0
"""`kelp compare` as a page: what differs, the metrics, and the curves of both over each other."""

from collections.abc import Mapping
from typing import Any

from components.evaluate.report.charts import (
    Point,
    Scale,
    diagonal_of,
    ends_of,
    figure,
    grid,
    legend,
    line_chart,
    points_text,
)
from components.evaluate.report.markup import Html, join, tag
from components.evaluate.report.table import estimate_cell, percent, section, table
from kelp.cli.comparison import Document, verdict, words
from kelp.cli.page import page
from kelp.spec.metrics import METRICS

_STYLE = """
.line.A, .key.A { stroke: var(--s2); color: var(--s2); }
.line.B, .key.B { stroke: var(--s1); color: var(--s1); }
.line.A { stroke-dasharray: 7 3; }
.key.A { border-top-style: dashed; }
.sides { list-style: none; margin: 0.5rem 0; font-size: 1.1rem; }
td code { white-space: nowrap; }
"""


def comparison_page(document: Document, a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    """Return the page.

    Args:
        document: from `kelp.cli.comparison.compare`.
        a: evaluation.json of A; may be empty.
        b: of B.
    """
    sides = [
        tag("li", tag("span", class_=f"key {letter.upper()}"), tag("b", f"{letter.upper()} "), document[letter]["name"])
        for letter in ("a", "b")
    ]
    header = tag(
        "header",
        tag("h1", "Comparison of A and B"),
        tag("ul", *sides, class_="sides"),
        tag("p", _note(document), class_="quiet"),
    )
    sections = (_metrics(document), _curves(a, b), _differences(document), _origin(document))
    title = f"{document['a']['name']} and {document['b']['name']}"
    return page(title, header, tag("main", *sections), style=_STYLE)


def _note(document: Document) -> str:
    if document["isPaired"]:
        return (
            f"Both scored the same {document['rows']:,} held-out rows; differences are paired, positive: B is better."
        )
    reason = document["reason"]
    return f"Not paired: {reason}. The intervals are of each alone, and do not say which one is better."


def _metrics(document: Document) -> Html:
    is_paired = document["isPaired"]
    rows = [
        [
            _metric_name(row["name"]),
            *([tag("span", words(row["better"]) or "–", class_=f"difference {verdict(row['better'])}")] * is_paired),
            *[_estimate(row[letter]) for letter in ("a", "b")],
        ]
        for row in document["metrics"]
    ]
    if not rows:
        return section("Metrics", tag("p", "Neither was judged.", class_="quiet"))
    header = ["metric", *(["B against A"] * is_paired), "A", "B"]
    return section("Metrics", table(_caption(document), header, rows, class_="metrics"))


def _caption(document: Document) -> str:
    known = sorted({percent(one) for one in document["confidence"] if one})
    return f"Value over its {known[0]} interval" if len(known) == 1 else "Value over its interval"


def _estimate(estimate: Mapping[str, Any] | None) -> Html:
    return estimate_cell(None if estimate is None else {"reason": "", **estimate})


def _metric_name(name: str) -> Html:
    info = METRICS.get(name)
    if info is None:
        return join(name)
    return join(name, {True: " ↑", False: " ↓", None: ""}[info.higher_is_better], tag("small", info.meaning))


def _curves(a: Mapping[str, Any], b: Mapping[str, Any]) -> Html | None:
    """Each picture that both have."""
    mine, theirs = a.get("pictures", {}), b.get("pictures", {})
    figures = []
    for key, title, axes, is_diagonal in (
        ("roc", "ROC curve", ("false positive rate", "true positive rate"), True),
        ("precisionRecall", "Precision and recall", ("recall", "precision"), False),
    ):
        if key in mine and key in theirs:
            curves = {"A": mine[key]["candidate"], "B": theirs[key]["candidate"]}
            lines = {name: list(zip(curve["x"], curve["y"], strict=True)) for name, curve in curves.items()}
            figures.append(line_chart(title, axes, lines, is_diagonal=is_diagonal))
    if "calibration" in mine and "calibration" in theirs:
        lines = {"A": _points(mine["calibration"]), "B": _points(theirs["calibration"])}
        axes = ("predicted probability", "observed share")
        figures.append(line_chart("Calibration", axes, lines, is_diagonal=True))
    if "tenths" in mine and "tenths" in theirs:
        figures.append(_tenths({"A": _points(mine["tenths"]), "B": _points(theirs["tenths"])}))
    return section("Behaviour", tag("div", *figures, class_="figures")) if figures else None


def _points(bins: list[Mapping[str, float]]) -> list[Point]:
    return [(one["predicted"], one["observed"]) for one in bins]


def _tenths(lines: Mapping[str, list[Point]]) -> Html:
    """Both over the diagonal on which predictions are right."""
    ends = ends_of([number for points in lines.values() for point in points for number in point])
    scale = Scale(ends, ends)
    drawn = [
        tag("polyline", points=points_text(points, scale), class_=f"line {name}") for name, points in lines.items()
    ]
    below = join(grid(scale, ("mean prediction", "mean value")), diagonal_of(scale))
    return figure("Predicted and observed, by tenths", join(below, *drawn), legend(lines))


def _differences(document: Document) -> Html:
    tables = [
        table(caption, ["", "A", "B"], [[row["name"], _cell(row["a"]), _cell(row["b"])] for row in document[kind]])
        for kind, caption in (("params", "Parameters"), ("spec", "Fields of the spec"), ("packages", "Packages"))
        if document[kind]
    ]
    nothing = tag("p", "Parameters, spec and packages are equal, or not known of both.", class_="quiet")
    return section("Settings", *(tables or [nothing]))


def _origin(document: Document) -> Html:
    word = {True: "equal", False: "different", None: "unknown"}
    digests: list[list[str | Html]] = [
        [row["name"], word[row["isEqual"]], _digest(row["a"]), _digest(row["b"])] for row in document["digests"]
    ]
    facts = [
        [name, *[_cell(document[letter][name]) for letter in ("a", "b")]]
        for name in ("run", "model", "version", "state", "created", "seconds", "reason", "gates")
    ]
    return section("Origin", table("Runs", ["", "A", "B"], facts), table("Digests", ["", "", "A", "B"], digests))


def _digest(digest: str | None) -> Html:
    return tag("code", digest[:12], title=digest) if digest else tag("span", "–")


def _cell(value: object) -> str:
    return "–" if value in (None, "") else str(value)
