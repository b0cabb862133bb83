# SPDX-License-Identifier: Apache-2.0
"""Inline SVG: colours come from the page's CSS, so charts follow its light or dark theme."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from components.evaluate.report.markup import Html, join, tag

WIDTH, HEIGHT, LEFT, BOTTOM, EDGE = 360, 270, 44, 40, 10
WIDE = 900
LABELS = {"candidate-at-half": "candidate at 0.5"}
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Scale:
    """Data coordinates to the drawing's, y upwards; `width` is the drawing's."""

    x: tuple[float, float]
    y: tuple[float, float]
    width: int = WIDTH

    def at(self, x: float, y: float) -> Point:
        """Return the drawing's coordinates of a point."""
        return (
            LEFT + (x - self.x[0]) / _span(self.x) * (self.width - LEFT - EDGE),
            HEIGHT - BOTTOM - (y - self.y[0]) / _span(self.y) * (HEIGHT - BOTTOM - EDGE),
        )


UNIT = Scale((0.0, 1.0), (0.0, 1.0))


def _span(ends: tuple[float, float]) -> float:
    return (ends[1] - ends[0]) or 1.0


def ends_of(values: Sequence[float], *, has_zero: bool = False) -> tuple[float, float]:
    """Return the range of the values with a margin; with `has_zero`, one that has 0 at an end or inside."""
    low, high = min(values), max(values)
    if has_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    margin = 0.04 * _span((low, high))
    return (low if has_zero and low == 0 else low - margin, high if has_zero and high == 0 else high + margin)


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
    title: str,
    axes: tuple[str, str],
    lines: Mapping[str, Sequence[Point]],
    scale: Scale = UNIT,
    *,
    is_diagonal: bool = False,
) -> Html:
    """Draw curves; each system has its own colour and dashes, named in the legend."""
    diagonal = tag("polyline", points=points_text([(0, 0), (1, 1)], scale), class_="guide") if is_diagonal else None
    drawn = join(grid(scale, axes), diagonal, *_lines(lines, scale))
    return figure(title, drawn, legend(lines), scale.width)


def time_chart(title: str, name: str, lines: Mapping[str, Sequence[Point]], ticks: Sequence[tuple[float, str]]) -> Html:
    """Draw values over time on a wide drawing; `ticks` are times, in order, and what stands there."""
    points = [point for line in lines.values() for point in line]
    scale = Scale((ticks[0][0], ticks[-1][0]), ends_of([y for _, y in points]), WIDE)
    anchors = ["start", *["middle"] * (len(ticks) - 2), "end"]
    written = [
        tag("text", text, x=scale.at(x, 0)[0], y=HEIGHT - BOTTOM + 14, text_anchor=anchor)
        for (x, text), anchor in zip(ticks, anchors, strict=True)
    ]
    drawn = join(grid(scale, ("", name), has_x=False), *written, *_lines(lines, scale))
    return figure(title, drawn, legend(lines), scale.width)


def range_chart(
    title: str, axes: tuple[str, str], points: Sequence[tuple[float, float, float, float]], scale: Scale
) -> Html:
    """Draw (x, y, low, high) as dots with whiskers, beside the diagonal on which x equals y."""
    marks = []
    for x, y, low, high in points:
        (left, top), (_, bottom), (_, middle) = scale.at(x, high), scale.at(x, low), scale.at(x, y)
        marks.append(tag("line", x1=left, x2=left, y1=top, y2=bottom, class_="whisker"))
        marks.append(tag("circle", cx=left, cy=middle, r=3.5, class_="point"))
    return figure(title, join(grid(scale, axes), diagonal_of(scale), *marks))


def diagonal_of(scale: Scale) -> Html:
    """Draw the line on which x equals y, as far as it is inside."""
    ends = [(max(scale.x[0], scale.y[0]),) * 2, (min(scale.x[1], scale.y[1]),) * 2]
    return tag("polyline", points=points_text(ends, scale), class_="guide")


def figure(title: str, drawing: Html, below: Html | None = None, width: int = WIDTH, height: int = HEIGHT) -> Html:
    """Return a drawing under its title."""
    picture = tag("svg", drawing, view_box=f"0 0 {width} {height}", role="img", aria_label=title)
    scrolls = {"class_": "wide", "tabindex": "0"} if width > WIDTH else {}
    return tag("figure", tag("figcaption", title), picture, below, **scrolls)


def legend(names: Mapping[str, object]) -> Html:
    """Return the key of each line."""
    return tag(
        "ul", *[tag("li", tag("span", class_=f"key {name}"), LABELS.get(name, name)) for name in names], class_="legend"
    )


def _lines(lines: Mapping[str, Sequence[Point]], scale: Scale) -> list[Html]:
    return [tag("polyline", points=points_text(points, scale), class_=f"line {name}") for name, points in lines.items()]


def grid(scale: Scale, axes: tuple[str, str], *, has_x: bool = True) -> Html:
    """Draw lines at round numbers, their values, and the names of the axes."""
    parts = []
    bottom, left = HEIGHT - BOTTOM, LEFT
    for value in ticks_of(scale.x) if has_x else ():
        x, _ = scale.at(value, scale.y[0])
        parts.append(tag("line", x1=x, x2=x, y1=EDGE, y2=bottom, class_="grid"))
        parts.append(tag("text", tick_text(value), x=x, y=bottom + 14, text_anchor="middle"))
    for value in ticks_of(scale.y):
        _, y = scale.at(scale.x[0], value)
        parts.append(tag("line", x1=left, x2=scale.width - EDGE, y1=y, y2=y, class_="grid"))
        parts.append(tag("text", tick_text(value), x=left - 5, y=y + 4, text_anchor="end"))
    middle = (scale.width + LEFT - EDGE) / 2
    turned = f"translate(11 {(HEIGHT - BOTTOM + EDGE) / 2}) rotate(-90)"
    parts.append(tag("text", axes[0], x=middle, y=HEIGHT - 7, text_anchor="middle", class_="name"))
    parts.append(tag("text", axes[1], x=0, y=0, text_anchor="middle", class_="name", transform=turned))
    return join(*parts)


def ticks_of(ends: tuple[float, float]) -> list[float]:
    """Return round numbers (1, 2 or 5 times a power of ten apart) inside the range, about five."""
    rough = _span(ends) / 5
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= 0.999 * rough)
    first, last = ceil(ends[0] / step - 1e-9), floor(ends[1] / step + 1e-9)
    return [position * step for position in range(first, last + 1)]


def tick_text(value: float) -> str:
    """Write an axis' number shortly."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.4g}{letter}"
    return f"{value:.4g}"


def points_text(points: Sequence[tuple[float, ...]], scale: Scale) -> str:
    """Write points as a polyline's."""
    return " ".join("{:.1f},{:.1f}".format(*scale.at(*point)) for point in points)
