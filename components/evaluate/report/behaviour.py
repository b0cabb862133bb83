# SPDX-License-Identifier: Apache-2.0
"""The report's section on how the candidate behaves: what `components.evaluate.pictures` gave, task by task."""

import json
from collections.abc import Sequence
from typing import Any

from components.evaluate.document import Document
from components.evaluate.report.charts import (
    UNIT,
    Point,
    Scale,
    diagonal_of,
    ends_of,
    figure,
    grid,
    line_chart,
    range_chart,
    time_chart,
)
from components.evaluate.report.markup import Html, join, tag
from components.evaluate.report.plots import cloud, confused_list, confusion_cells, histogram, level
from components.evaluate.report.table import estimate_cell, number, percent, section, table

SYSTEMS = ("candidate", "champion", "legacy", "dummy")
AS_TABLE = 5  # classes up to which the confusion matrix is written out
SHOWN_ORIGINS = 12
Pictures = dict[str, Any]


def behaviour_section(document: Document) -> Html:
    """Return the pictures of the task."""
    pictures = document["pictures"]
    if "series" in pictures:
        parts = _forecast(pictures)
    elif "tenths" in pictures:
        parts = _regression(pictures, document["confidence"])
    elif "roc" in pictures:
        parts = [_curves(pictures), _confusion(pictures)]
    else:
        parts = [_confusion(pictures), confused_list(pictures["confused"]), _classes(pictures, document["confidence"])]
    return section("Behaviour", *parts)


def _curves(pictures: Pictures) -> Html:
    points = [(b["predicted"], b["observed"], b["low"], b["high"]) for b in pictures["calibration"]]
    highest = max(0.5, *pictures["costsAtHalf"]["y"])
    costs = _of_systems(pictures["costs"]) | {"candidate-at-half": _points(pictures["costsAtHalf"])}
    return tag(
        "div",
        line_chart(
            "ROC curve", ("false positive rate", "true positive rate"), _of_systems(pictures["roc"]), is_diagonal=True
        ),
        line_chart("Precision and recall", ("recall", "precision"), _of_systems(pictures["precisionRecall"])),
        range_chart("Calibration", ("predicted probability", "observed share"), points, UNIT),
        line_chart(
            "Cost, at the best threshold for it",
            ("misses' share of the possible cost", "normalised expected cost"),
            costs,
            Scale((0.0, 1.0), (0.0, highest)),
        ),
        class_="figures",
    )


def _of_systems(curves: dict[str, Any]) -> dict[str, list[Point]]:
    return {name: _points(curves[name]) for name in SYSTEMS if name in curves}


def _points(curve: dict[str, Any]) -> list[Point]:
    return list(zip(curve["x"], curve["y"], strict=True))


def _confusion(pictures: Pictures) -> Html:
    names, matrix = pictures["confusion"]["classes"], pictures["confusion"]["matrix"]
    if len(names) <= AS_TABLE:
        rows = [
            [name, *[f"{cell:,} ({percent(cell / max(sum(row), 1))})" for cell in row]]
            for name, row in zip(names, matrix, strict=True)
        ]
        return table("Confusion: true class (row), label (column), share of the row", ["", *names], rows)
    order = sorted(range(len(names)), key=lambda position: -sum(matrix[position]))
    ordered = [[matrix[row][column] for column in order] for row in order]
    caption = "Confusion: true class (row), label (column, by the rows' numbers), share of the row in %"
    return join(tag("p", caption, class_="caption"), confusion_cells([names[position] for position in order], ordered))


def _classes(pictures: Pictures, confidence: float) -> Html:
    most, classes = 50, pictures["classes"]
    rows = [
        [
            each["name"],
            number(each["rows"]),
            number(each["labelled"]),
            estimate_cell(each["precision"]),
            estimate_cell(each["recall"]),
        ]
        for each in classes[:most]
    ]
    more = f" (the largest {most} of {len(classes):,})" if len(classes) > most else ""
    caption = f"Each class{more}, with {percent(confidence)} intervals"
    return table(caption, ["class", "rows", "labelled so", "precision", "recall"], rows, class_="wide")


def _regression(pictures: Pictures, confidence: float) -> list[Html | None]:
    points, band = pictures["points"], pictures["band"]
    pairs = list(zip(points["predicted"], points["observed"], strict=True))
    both = ends_of([*points["predicted"], *points["observed"]])
    square = Scale(both, both)
    errors = [(predicted, observed - predicted) for predicted, observed in pairs]
    wide = Scale(ends_of(points["predicted"]), ends_of([y for _, y in errors], has_zero=True))
    edges = [level(band[name], wide) for name in ("low", "high")] if band else []
    axes = ("prediction", "observed value")
    return [
        tag(
            "div",
            figure("Predicted and observed", join(grid(square, axes), diagonal_of(square), cloud(pairs, square))),
            figure(
                "Errors by prediction",
                join(
                    grid(wide, ("prediction", "observed minus predicted")),
                    level(0.0, wide),
                    *edges,
                    cloud(errors, wide),
                ),
            ),
            _tenths(pictures["tenths"]),
            _errors(pictures["histogram"]),
            class_="figures",
        ),
        _band(band, confidence),
    ]


def _band(band: dict[str, Any] | None, confidence: float) -> Html | None:
    if band is None:
        return None
    coverage = band["coverage"]
    return tag(
        "p",
        f"A new row's value lies from {number(band['low'])} to {number(band['high'])} around its prediction with a "
        f"chance of {percent(band['level'])} or more, if it comes from where these rows come from. The band was chosen "
        f"on {number(band['fitted'])} random rows; of the other {number(coverage['support'])} it holds "
        f"{percent(coverage['value'])} ({percent(confidence)} interval: {percent(coverage['low'])} to "
        f"{percent(coverage['high'])}).",
        class_="caption",
    )


def _tenths(tenths: Sequence[dict[str, float]]) -> Html:
    points = [(b["predicted"], b["observed"], b["observed"], b["observed"]) for b in tenths]
    ends = ends_of([number for point in points for number in point[:2]])
    return range_chart(
        "Predicted and observed means, by tenths", ("mean prediction", "mean value"), points, Scale(ends, ends)
    )


def _errors(found: dict[str, Any]) -> Html:
    outside = found["below"] + found["above"]
    more = f" ({outside:,} rows lie further out)" if outside else ""
    return histogram(f"Errors{more}", ("observed minus predicted", "rows"), found["edges"], found["counts"])


def _forecast(pictures: Pictures) -> list[Html | None]:
    by_origin = {"candidate": "metrics", "naive": "naive"}
    name = "mase" if all(origin["metrics"]["mase"] is not None for origin in pictures["origins"]) else "wape"
    lines = {
        key: [(place + 1.0, origin[field][name]) for place, origin in enumerate(pictures["origins"])]
        for key, field in by_origin.items()
    }
    values = [value for line in lines.values() for _, value in line if value is not None]
    drawn = {key: [point for point in line if point[1] is not None] for key, line in lines.items()}
    scale = Scale((1.0, max(2.0, float(len(pictures["origins"])))), ends_of(values or [0.0, 1.0], has_zero=True))
    note = (
        "Every row was forecast at the full horizon. The seasonal naive forecast repeats the last season known then; "
        "it is the dummy, too."
    )
    return [
        tag("p", note, class_="quiet"),
        *[_series(series) for series in pictures["series"]],
        tag(
            "div",
            line_chart(f"{name} by origin", ("origin, one horizon each", name), drawn, scale),
            _tenths(pictures["tenths"]),
            _errors(pictures["histogram"]),
            class_="figures",
        ),
        _error_table("The last origins", "from", pictures["origins"][-SHOWN_ORIGINS:]),
        _error_table("By day of the week", "day", pictures["weekdays"]) if pictures["weekdays"] else None,
    ]


def _series(series: dict[str, Any]) -> Html:
    seconds, times = series["seconds"], series["times"]
    places = sorted({0, len(times) // 3, 2 * len(times) // 3, len(times) - 1})
    has_hours = any(not time.endswith("T00:00:00Z") for time in times)
    ticks = [(seconds[place], times[place][: 16 if has_hours else 10].replace("T", " ")) for place in places]
    lines = {
        key: list(zip(seconds, series[field], strict=True))
        for key, field in (("actual", "actual"), ("candidate", "forecast"), ("naive", "naive"))
    }
    name = ", ".join(map(str, json.loads(series["name"])))
    return time_chart(f"{name}: {series['why']}", "value", lines, ticks)


def _error_table(caption: str, key: str, rows: Sequence[dict[str, Any]]) -> Html:
    names = [name for name in rows[0]["metrics"] if any(row["metrics"][name] is not None for row in rows)]
    cells = [
        [
            row["name"].replace("T00:00:00Z", ""),
            number(row["rows"]),
            *[
                join(number(row["metrics"][name]), tag("small", f"naive {number(row['naive'][name])}"))
                for name in names
            ],
        ]
        for row in rows
    ]
    return table(caption, [key, "rows", *names], cells, class_="wide")
