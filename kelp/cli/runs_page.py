# SPDX-License-Identifier: Apache-2.0
"""`kelp runs --html`: all runs and the versions they made, as a table that is sorted and filtered in the browser."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from components.evaluate.report.markup import Child, Html, join, tag
from components.evaluate.report.table import RESULTS, badge, estimate_cell, number
from kelp.cli.page import page
from kelp.cli.table_script import SCRIPT
from kelp.runs.facts import RunFacts

SHOWN_METRICS = 6
_STYLE = """
body { max-width: 100rem; }
.filter { display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: center; margin: 1rem 0; }
.filter input {
  font: inherit; color: inherit; background: var(--card); border: 1px solid var(--quiet); border-radius: 0.4rem;
  padding: 0.35rem 0.6rem; width: min(100%, 22rem);
}
th, td { padding-right: 0.8rem; }
thead th { white-space: nowrap; }
thead button { all: unset; cursor: pointer; }
thead button:focus-visible { outline: 2px solid var(--s1); outline-offset: 2px; }
thead button::after { content: " ↕"; opacity: 0.5; }
th[aria-sort="ascending"] button::after { content: " ↑"; opacity: 1; }
th[aria-sort="descending"] button::after { content: " ↓"; opacity: 1; }
tbody th { max-width: none; }
tbody th, tbody td { white-space: nowrap; }
tbody td.text { white-space: normal; min-width: 9rem; max-width: 22rem; overflow-wrap: anywhere; }
a { color: var(--s1); }
.succeeded { color: var(--pass); }
.failed, .damaged { color: var(--fail); }
.interrupted { color: var(--undecided); }
"""


@dataclass(frozen=True, slots=True)
class _Cell:
    """What is shown, and what it is sorted by; empty where nothing is known, which comes last."""

    shown: Child
    value: str | float = ""
    class_: str | None = None


def runs_page(runs: Sequence[RunFacts], folder: Path) -> str:
    """Return the page.

    Args:
        runs: newest first.
        folder: where the page will lie; reports are linked relative to it.
    """
    metrics = _metric_names(runs)
    names = ["run", "model", "state", "started", "seconds", "version", "gates", *metrics, "reason"]
    numbers = {"seconds", "version", *metrics}
    head = tag("tr", *[_heading(name, is_number=name in numbers, is_sorted=name == "started") for name in names])
    grid = tag("table", tag("thead", head), tag("tbody", *[_row(_cells(run, metrics, folder)) for run in runs]))
    box = tag("div", grid, class_="scroll", tabindex="0", role="region", aria_label="runs")
    header = tag(
        "header", tag("p", "kelp", class_="name"), tag("h1", f"{len(runs):,} runs" if len(runs) != 1 else "1 run")
    )
    label = tag("label", "Only rows with", for_="filter")
    field = Html('<input id="filter" type="search" autocomplete="off" placeholder="words, such as fraud failed">')
    line = tag("div", label, field, tag("span", id="count", class_="quiet", role="status"), class_="filter")
    return page("kelp runs", header, tag("main", line, box), style=_STYLE, script=SCRIPT)


def _metric_names(runs: Sequence[RunFacts]) -> list[str]:
    """Those that gates name; of runs without gates, the first one."""
    names = [name for run in runs for name in (run.main_metrics or tuple(run.metrics)[:1])]
    return list(dict.fromkeys(names))[:SHOWN_METRICS]


def _heading(name: str, *, is_number: bool, is_sorted: bool) -> Html:
    return tag(
        "th",
        tag("button", name, type="button"),
        scope="col",
        aria_sort="descending" if is_sorted else "none",
        data_number="" if is_number else None,
    )


def _row(cells: Sequence[_Cell]) -> Html:
    first, *rest = cells
    return tag(
        "tr",
        tag("th", first.shown, scope="row", data_value=first.value),
        *[tag("td", cell.shown, data_value=_value(cell.value), class_=cell.class_) for cell in rest],
    )


def _value(value: str | float) -> str:
    return value if isinstance(value, str) else repr(value)


def _cells(run: RunFacts, metrics: Sequence[str], folder: Path) -> list[_Cell]:
    why = run.failure or run.problem
    return [
        _Cell(_name(run, folder), run.run),
        _Cell(run.model, run.model),
        _Cell(tag("span", run.state, class_=run.state), run.state),
        _Cell(_time(run.created), run.created or ""),
        _Cell(number(run.seconds), "" if run.seconds is None else run.seconds),
        _version(run),
        _gates(run),
        *[_metric(run, name) for name in metrics],
        _Cell(join(run.reason, tag("small", why) if why else None), run.reason, "text"),
    ]


def _name(run: RunFacts, folder: Path) -> Html:
    report = run.folder / "report.html"
    if not report.is_file():
        return join(run.run)
    return tag("a", run.run, href=quote(os.path.relpath(report.absolute(), folder)))


def _time(created: str | None) -> Child:
    return "–" if created is None else tag("time", created.replace("T", " ").removesuffix("Z"), datetime=created)


def _version(run: RunFacts) -> _Cell:
    if run.version is None:
        return _Cell("–")
    return _Cell(join(str(run.version), tag("small", run.status) if run.status else None), run.version)


def _gates(run: RunFacts) -> _Cell:
    if run.gates not in RESULTS:
        return _Cell(run.gates or "–", run.gates)
    counts = ", ".join(f"{count} {name}" for name, count in run.gate_results.items())
    return _Cell(join(badge(run.gates), tag("small", counts) if counts else None), run.gates)


def _metric(run: RunFacts, name: str) -> _Cell:
    estimate = run.metrics.get(name)
    if estimate is None or estimate["value"] is None:
        return _Cell("–")
    return _Cell(estimate_cell({"reason": "", **estimate}), estimate["value"])
