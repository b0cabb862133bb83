# SPDX-License-Identifier: Apache-2.0
"""kelp runs and kelp report: what was run, and what came of it."""

import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.text import Text

from kelp.cli.session import Session
from kelp.errors import InputError, NotFound

if TYPE_CHECKING:
    from kelp.runs.facts import RunFacts
    from kelp.runs.query import Flat, Query

State = Literal["created", "running", "succeeded", "failed", "interrupted", "damaged"]
_STATES = "created, running, succeeded, failed, interrupted or damaged"
_COLOURS = {"succeeded": "green", "failed": "red", "interrupted": "yellow", "running": "cyan", "damaged": "red"}
_SHOWN = ("run", "state", "reason", "status", "version", "failure", "problem")


def runs(  # noqa: PLR0913 (each is an option of the command)
    context: typer.Context,
    model: Annotated[str | None, typer.Option(help="only runs of this model")] = None,
    state: Annotated[State | None, typer.Option(metavar="STATE", help=f"only runs that are {_STATES}")] = None,
    since: Annotated[str | None, typer.Option(help="only runs started in this time, such as 7d or 12h")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="COND", help="only runs where it holds: 'pr_auc>=0.5', params.max_depth=6; repeatable"),
    ] = None,
    sort: Annotated[str, typer.Option(metavar="FACT", help="sort by it; with - in front, the largest first")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="only the first ones")] = None,
    trials: Annotated[
        bool, typer.Option("--trials", help="a row for each trial of a search, not for each run")
    ] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="write them as a page to sort and filter")] = None,
    json: Annotated[bool, typer.Option("--json", help="everything that is known of them, for machines")] = False,
) -> None:
    """List runs, newest first."""
    from kelp.runs.facts import list_facts, to_plain
    from kelp.runs.query import Query, parse_filter

    session: Session = context.obj
    query = Query(model, state, _start(since), tuple(map(parse_filter, where or [])), sort, limit)
    known = list_facts(session.home)
    if trials:
        _print_trials(session, known, query, as_json=json)
        return
    found = _selected(known, query)
    if html is not None:
        from kelp.cli.runs_page import runs_page

        print(_write(html, runs_page([facts for facts, _ in found], html.absolute().parent)))
    elif json:
        session.print_json([to_plain(facts) for facts, _ in found])
    elif not found:
        session.out.print(
            "no run matches" if known else "no runs yet; kelp run models/<name>.yaml starts one", markup=False
        )
    else:
        asked = [name for name in query.names if name not in _SHOWN]
        rows = [_row(facts, record, asked) for facts, record in found]
        session.print_table(("run", "state", "reason", *(asked or ["metric"]), "outcome"), rows)


def _start(since: str | None) -> str | None:
    """The oldest time to list, as runs write theirs."""
    from kelp.runs.facts import time_text
    from kelp.runs.local import utc_now
    from kelp.spec.types import parse_duration

    if since is None:
        return None
    try:
        return time_text(utc_now() - parse_duration(since))
    except (ValueError, OverflowError) as error:
        raise InputError(f"{error}, found {since!r}", place="--since") from error


def _selected(known: "Sequence[RunFacts]", query: "Query") -> "list[tuple[RunFacts, Flat]]":
    from kelp.runs.outputs import artifacts_of
    from kelp.runs.query import flat_record, select

    has_files = any(name.startswith("artifacts.") for name in query.names)  # they cost many looks at the disk
    records = [flat_record(facts, artifacts_of(facts.folder) if has_files else ()) for facts in known]
    return [(known[position], records[position]) for position in select(records, query)]


def _row(facts: "RunFacts", record: "Flat", asked: Sequence[str]) -> tuple[str | Text, ...]:
    shown = [_cell(record.get(name)) for name in asked] or [_main_metric(facts)]
    return facts.run, Text(facts.state, style=_COLOURS.get(facts.state, "")), facts.reason, *shown, _outcome(facts)


def _cell(value: object) -> str:
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _main_metric(facts: "RunFacts") -> str:
    name = next(iter(facts.main_metrics or facts.metrics), None)
    if name is None:
        return ""
    value, low, high = (facts.metrics[name].get(key) for key in ("value", "low", "high"))
    return f"{name} {_cell(value)}" + ("" if low is None else f" ({_cell(low)} to {_cell(high)})")


def _outcome(facts: "RunFacts") -> str:
    if facts.failure or facts.problem:
        return (facts.failure or facts.problem)[:80]
    if facts.version is not None:
        return f"version {facts.version}: {facts.status}"
    done = [str(step["step"]) for step in facts.steps if step["state"] in ("done", "reused")]
    return f"{done[-1]} is done" if done else ""


def _print_trials(session: Session, known: "Sequence[RunFacts]", query: "Query", *, as_json: bool) -> None:
    from kelp.runs.outputs import trials_of
    from kelp.runs.query import flat_record, select, trial_record

    rows: list[tuple[RunFacts, dict[str, Any]]] = []
    records: list[Flat] = []
    for facts in known:
        trials = trials_of(facts.folder)
        rows += [(facts, dict(trial)) for trial in trials]
        record = flat_record(facts) if trials else {}
        records += [trial_record(record, trial) for trial in trials]
    found = [rows[position] for position in select(records, query)]
    if as_json:
        session.print_json([{"run": facts.run, "model": facts.model, **trial} for facts, trial in found])
    elif not found:
        session.out.print("no trial matches" if rows else "no run has searched; spec.train.search asks for it")
    else:
        session.print_table(
            ("run", "trial", "state", "value", "seconds", "params"),
            [
                (facts.run, *(_cell(trial.get(key)) for key in ("number", "state", "value", "seconds")), _params(trial))
                for facts, trial in found
            ],
        )


def _params(trial: dict[str, Any]) -> str:
    params = trial.get("params")
    return " ".join(f"{name}={_cell(value)}" for name, value in (params if isinstance(params, dict) else {}).items())


def _write(path: Path, page: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def report(
    context: typer.Context,
    run: Annotated[str | None, typer.Argument(help="a run's id; the latest one with a report if left out")] = None,
    open_: Annotated[bool, typer.Option("--open", help="open it in a browser")] = False,
) -> None:
    """Print the path of a run's report."""
    from kelp.runs.runs import find_run, list_runs

    session: Session = context.obj
    folders = (
        [find_run(session.home, run)] if run else [Path(session.home.runs) / r.run for r in list_runs(session.home)]
    )
    found = next((folder / "report.html" for folder in folders if (folder / "report.html").is_file()), None)
    if found is None:
        raise NotFound("there is no report", place=run or session.home.runs, fix="kelp runs shows how far the run came")
    print(found)
    if open_:
        webbrowser.open(found.as_uri())
