# SPDX-License-Identifier: Apache-2.0
"""Drawings of many marks, each kept small: a cloud of points, bars, and the cells of a confusion matrix."""

from collections.abc import Sequence
from typing import Any

from components.evaluate.report.charts import BOTTOM, HEIGHT, Point, Scale, figure, grid
from components.evaluate.report.markup import Html, join, tag
from components.evaluate.report.table import percent

CELL, NAME, MARGIN = 22, 150, 24
SHADES = 6
WITH_TEXT = 15
LONGEST = 22


def cloud(points: Sequence[Point], scale: Scale) -> Html:
    """Draw points as one path of dots."""
    marks = "".join("M{:.1f} {:.1f}h0".format(*scale.at(*point)) for point in points)
    return tag("path", d=marks, class_="cloud")


def level(value: float, scale: Scale) -> Html:
    """Draw a dashed horizontal line."""
    (left, y), (right, _) = scale.at(scale.x[0], value), scale.at(scale.x[1], value)
    return tag("line", x1=left, x2=right, y1=y, y2=y, class_="edge")


def histogram(title: str, axes: tuple[str, str], edges: Sequence[float], counts: Sequence[int]) -> Html:
    """Draw counts between edges as bars, and 0 as a line if it is among them."""
    scale = Scale((edges[0], edges[-1]), (0.0, 1.05 * max(max(counts), 1)))
    bars = []
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        (left, top), (right, _) = scale.at(low, count), scale.at(high, count)
        height = HEIGHT - BOTTOM - top
        bars.append(tag("rect", x=left + 0.5, y=top, width=max(right - left - 1, 0.5), height=height, class_="filled"))
    zero = None
    if edges[0] < 0 < edges[-1]:
        (x, low_end), (_, high_end) = scale.at(0, 0), scale.at(0, scale.y[1])
        zero = tag("line", x1=x, x2=x, y1=low_end, y2=high_end, class_="edge")
    return figure(title, join(grid(scale, axes), *bars, zero))


def confusion_cells(names: Sequence[str], matrix: Sequence[Sequence[int]]) -> Html:
    """Draw each row's shares as shaded cells: what is right in one colour, what is wrong in another.

    Args:
        names: of the classes, in the order of rows and columns; columns carry the rows' numbers.
        matrix: counts, rows are true classes.
    """
    shades: dict[str, list[str]] = {}
    texts: list[Html] = []
    for row, counts in enumerate(matrix):
        for column, count in enumerate(counts):
            if count:
                share = count / sum(counts)
                kind = f"{'right' if row == column else 'wrong'} shade{min(int(share * SHADES), SHADES - 1)}"
                x, y = NAME + column * CELL, MARGIN + row * CELL
                shades.setdefault(kind, []).append(f"M{x} {y}h{CELL - 1}v{CELL - 1}h{1 - CELL}z")
                if len(names) <= WITH_TEXT and share >= 0.005:
                    texts.append(tag("text", f"{100 * share:.0f}", x=x + CELL / 2, y=y + 15, text_anchor="middle"))
    cells = [tag("path", d="".join(marks), class_=f"cell {kind}") for kind, marks in sorted(shades.items())]
    width, height = NAME + len(names) * CELL + 4, MARGIN + len(names) * CELL + 4
    picture = tag(
        "svg",
        *_headings(names),
        *cells,
        *texts,
        view_box=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        aria_label="confusion matrix",
        class_="cells",
    )
    return tag("div", picture, class_="scroll", tabindex="0", role="region", aria_label="confusion matrix")


def _headings(names: Sequence[str]) -> list[Html]:
    found = []
    for position, name in enumerate(names):
        short = name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
        middle = position * CELL + CELL / 2
        text = f"{short} {position + 1}"
        found.append(tag("text", tag("title", name), text, x=NAME - 6, y=MARGIN + middle + 4, text_anchor="end"))
        found.append(tag("text", str(position + 1), x=NAME + middle, y=MARGIN - 7, text_anchor="middle"))
    return found


def confused_list(confused: Sequence[dict[str, Any]]) -> Html | None:
    """Write the most frequent mistakes; nothing if there are none."""
    if not confused:
        return None
    items = [
        tag(
            "li",
            join(tag("b", each["true"]), " labelled ", tag("b", each["label"])),
            f": {each['rows']:,} rows, {percent(each['share'])} of the class",
        )
        for each in confused
    ]
    return join(tag("p", "The most frequent mistakes", class_="caption"), tag("ol", *items))
