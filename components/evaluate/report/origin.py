# SPDX-License-Identifier: Apache-2.0
"""Where the model comes from: data, training, lineage."""

from typing import Any

from components.evaluate.document import Document
from components.evaluate.report.markup import Html, join, tag
from components.evaluate.report.table import facts, number, percent, section, table

SHOWN_FEATURES = 20


def data_section(document: Document) -> Html:
    """Return rows, quarantine with reasons, and what is missing in each column."""
    data = document["data"]
    parts, split = data["parts"], data["split"]
    taken = [f"{number(parts[name])} {name}" for name in ("train", "test", "gap") if parts.get(name)]
    boundary = f", boundary {split['boundary']}" if split.get("boundary") else ""
    summary = facts(
        [
            ("source", data["source"]),
            ("rows", number(data["rows"])),
            ("quarantined", number(data["quarantined"])),
            ("parts", ", ".join(taken)),
            ("split", f"by {split['by']}{boundary}" if split.get("by") else ""),
            (
                "classes in the test part",
                ", ".join(f"{c['name']}: {number(c['rows'])}" for c in data.get("classes", [])),
            ),
            ("series", _series(data.get("series"))),
            ("not used as features", ", ".join(data["dropped"])),
        ]
    )
    return section("Data", summary, _reasons(data), _columns(data))


def _series(series: dict[str, Any] | None) -> str:
    if not series:
        return ""
    steps = f"{number(series['horizonSteps'])} steps ahead, a season of {number(series.get('seasonSteps'))}"
    return f"{number(series.get('count'))}, one row every {number(series['frequencySeconds'])} s, {steps}"


def _reasons(data: dict[str, Any]) -> Html | None:
    if not data["reasons"]:
        return None
    ordered = sorted(data["reasons"].items(), key=lambda item: (-item[1], item[0]))
    return table("Rows set aside, by reason", ["reason", "rows"], [[reason, number(rows)] for reason, rows in ordered])


def _columns(data: dict[str, Any]) -> Html:
    rows = []
    for name, column in data["columns"].items():
        share = column.get("missing", 0) / max(data["rows"], 1)
        missing = join(number(column.get("missing", 0)), tag("small", percent(share)) if share else None)
        rows.append([name, str(column.get("type", "")), missing, number(column.get("distinct"))])
    grid = table("Columns of the snapshot", ["column", "type", "missing", "distinct"], rows)
    return tag("details", tag("summary", f"{len(rows)} columns"), grid)


def model_section(document: Document) -> Html:
    """Return the trainer, its parameters and the importance of features."""
    training = document["training"]
    params = ", ".join(f"{name}={value}" for name, value in sorted((training["params"] or {}).items()))
    summary = facts(
        [
            ("trainer", training["trainer"]),
            ("rounds", number(training["rounds"]) if training["rounds"] else None),
            ("epochs", number(training["epochs"]) if training["epochs"] else None),
            ("training rows", number(training["rows"])),
            ("seed", None if training["seed"] is None else str(training["seed"])),
            ("parameters", params),
        ]
    )
    importance = training["importance"]
    if not importance:
        return section("Model", summary)
    largest = max(item["share"] for item in importance) or 1.0
    rows = [[item["feature"], _bar(item["share"], largest)] for item in importance[:SHOWN_FEATURES]]
    more = f" (the first {SHOWN_FEATURES} of {len(importance)})" if len(importance) > SHOWN_FEATURES else ""
    return section(
        "Model", summary, table(f"Importance: share of the gain{more}", ["feature", "share"], rows, class_="bars")
    )


def _bar(share: float, largest: float) -> Html:
    filled = tag("rect", width=100 * share / largest, height=10, class_="filled")
    bar = tag("svg", filled, view_box="0 0 100 10", preserve_aspect_ratio="none", aria_hidden="true")
    return tag("span", bar, tag("span", percent(share)), class_="share")


def lineage_section(document: Document) -> Html:
    """Return digests and identifiers as given; text of several lines, such as a checkpoint, keeps its lines."""
    digests = {
        "snapshot": document["data"]["digest"],
        "prepared": document["data"]["preparedDigest"],
        "model": document["training"]["digest"],
        **document["lineage"],
    }
    short = [(name, tag("code", value)) for name, value in digests.items() if value and "\n" not in value]
    long = [
        tag("figure", tag("figcaption", name), tag("pre", value, tabindex="0"))
        for name, value in digests.items()
        if value and "\n" in value
    ]
    return section("Lineage", facts(short), *long)
