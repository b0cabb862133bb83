# SPDX-License-Identifier: Apache-2.0
"""Inline SVG: colours come from the page's CSS, so charts follow its light or dark theme."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.evaluate.report.markup import Html, join, tag

WIDTH, HEIGHT, LEFT, BOTTOM, EDGE = 360, 270, 44, 40, 10


@dataclass(frozen=True, slots=True)
class Scale:
    """Data coordinates to the drawing's, y upwards."""

    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the drawing's coordinates of a point."""
        return (
            LEFT + (x - self.x[0]) / _span(self.x) * (WIDTH - LEFT - EDGE),
            HEIGHT - BOTTOM - (y - self.y[0]) / _span(self.y) * (HEIGHT - BOTTOM - EDGE),
        )


UNIT = Scale((0.0, 1.0), (0.0, 1.0))


def _span(ends: tuple[float, float]) -> float:
    return (ends[1] - ends[0]) or 1.0


def interval_bar(value: float, low: float, high: float, limit: float, result: str) -> Html:
    """Draw an interval as a bar with its estimate as a dot, and the limit as a vertical line."""
    ends = min(low, limit), max(high, limit)
    margin = 0.08 * _span(ends)
    start, span = ends[0] - margin, _span(ends) + 2 * margin

    def x(number: float) -> float:
        return 240 * (number - start) / span

    return tag(
        "svg",
        tag("line", x1=0, x2=240, y1=14, y2=14, class_="axis"),
        tag("line", x1=x(low), x2=x(high), y1=14, y2=14, class_=f"bar {result}"),
        tag("circle", cx=x(value), cy=14, r=4.5, class_=f"dot {result}"),
        tag("line", x1=x(limit), x2=x(limit), y1=1, y2=27, class_="limit"),
        view_box="0 0 240 28",
        class_="interval",
        role="img",
        aria_label=f"estimate {value:.4g}, interval {low:.4g} to {high:.4g}, limit {limit:.4g}",
    )


def line_chart(
    title: str, axes: tuple[str, str], lines: Mapping[str, Sequence[tuple[float, float]]], *, is_diagonal: bool
) -> Html:
    """Draw curves on the unit square; each system has its own colour and dashes, named in the legend."""
    diagonal = tag("polyline", points=_points([(0, 0), (1, 1)], UNIT), class_="guide") if is_diagonal else None
    drawn = [tag("polyline", points=_points(points, UNIT), class_=f"line {name}") for name, points in lines.items()]
    names = [tag("li", tag("span", class_=f"key {name}"), name) for name in lines]
    return _figure(title, join(_grid(UNIT, axes), diagonal, *drawn), tag("ul", *names, class_="legend"))


def range_chart(
    title: str, axes: tuple[str, str], points: Sequence[tuple[float, float, float, float]], scale: Scale
) -> Html:
    """Draw (x, y, low, high) as dots with whiskers, beside the diagonal on which x equals y."""
    marks = []
    for x, y, low, high in points:
        (left, top), (_, bottom), (_, middle) = scale.at(x, high), scale.at(x, low), scale.at(x, y)
        marks.append(tag("line", x1=left, x2=left, y1=top, y2=bottom, class_="whisker"))
        marks.append(tag("circle", cx=left, cy=middle, r=3.5, class_="point"))
    ends = [(max(scale.x[0], scale.y[0]),) * 2, (min(scale.x[1], scale.y[1]),) * 2]
    diagonal = tag("polyline", points=_points(ends, scale), class_="guide")
    return _figure(title, join(_grid(scale, axes), diagonal, *marks))


def _figure(title: str, drawing: Html, legend: Html | None = None) -> Html:
    picture = tag("svg", drawing, view_box=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=title)
    return tag("figure", tag("figcaption", title), picture, legend)


def _grid(scale: Scale, axes: tuple[str, str]) -> Html:
    parts = []
    for step in range(6):
        x_value = scale.x[0] + step / 5 * _span(scale.x)
        y_value = scale.y[0] + step / 5 * _span(scale.y)
        x, bottom = scale.at(x_value, scale.y[0])
        left, y = scale.at(scale.x[0], y_value)
        parts += [
            tag("line", x1=x, x2=x, y1=EDGE, y2=bottom, class_="grid"),
            tag("line", x1=left, x2=WIDTH - EDGE, y1=y, y2=y, class_="grid"),
            tag("text", f"{x_value:.3g}", x=x, y=bottom + 14, text_anchor="middle"),
            tag("text", f"{y_value:.3g}", x=left - 5, y=y + 4, text_anchor="end"),
        ]
    middle = (HEIGHT - BOTTOM + EDGE) / 2
    parts.append(tag("text", axes[0], x=(WIDTH + LEFT - EDGE) / 2, y=HEIGHT - 7, text_anchor="middle", class_="name"))
    parts.append(
        tag(
            "text",
            axes[1],
            x=0,
            y=0,
            text_anchor="middle",
            class_="name",
            transform=f"translate(11 {middle}) rotate(-90)",
        )
    )
    return join(*parts)


def _points(points: Sequence[tuple[float, ...]], scale: Scale) -> str:
    return " ".join("{:.1f},{:.1f}".format(*scale.at(*point)) for point in points)
