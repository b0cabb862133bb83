# SPDX-License-Identifier: Apache-2.0
"""kelp runs and kelp report: what was run, and what came of it."""

import webbrowser
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from kelp.cli.session import Session
from kelp.errors import NotFound

if TYPE_CHECKING:
    from kelp.runs.record import RunRecord

_COLOURS = {"succeeded": "green", "failed": "red", "interrupted": "yellow", "running": "cyan"}


def runs(
    context: typer.Context,
    model: Annotated[str | None, typer.Option(help="only runs of this model")] = None,
    json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """List runs, newest first."""
    from kelp.runs.runs import list_runs

    session: Session = context.obj
    records = list_runs(session.home, model)
    if json:
        session.print_json([record.model_dump(mode="json", by_alias=True) for record in records])
        return
    if not records:
        session.out.print("no runs yet; kelp run models/<name>.yaml starts one")
        return
    session.print_table(("run", "state", "reason", "steps", "outcome"), [_row(record) for record in records])


def _row(record: "RunRecord") -> tuple[str | Text, ...]:
    outcome = ""
    register = record.step("register")
    if register is not None and register.result:
        outcome = f"version {register.result['version']}: {register.result['status']}"
    if record.failure is not None:
        outcome = next(iter(record.failure.message.splitlines()), record.failure.type)[:80]
    done = sum(step.state in ("done", "reused") for step in record.steps)
    state = Text(record.state, style=_COLOURS.get(record.state, ""))
    return record.run, state, record.reason, str(done), outcome


def report(
    context: typer.Context,
    run: Annotated[str | None, typer.Argument(help="a run's id; the latest one with a report if left out")] = None,
    open_: Annotated[bool, typer.Option("--open", help="open it in a browser")] = False,
) -> None:
    """Print the path of a run's report."""
    from pathlib import Path

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
