# SPDX-License-Identifier: Apache-2.0
"""kelp run: the whole pipeline on this machine, one line a step."""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from kelp.cli.session import Session
from kelp.errors import EnvironmentFault, GateFailed, InputError, IntegrityError, KelpError

if TYPE_CHECKING:
    from kelp.runs.local import StepEvent
    from kelp.runs.record import Failure, RunRecord


def run(  # noqa: PLR0913 (each is an option of the command)
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="the spec, models/<name>.yaml")],
    resume: Annotated[bool, typer.Option("--resume", help="go on with the latest run of this spec")] = False,
    source: Annotated[str, typer.Option(help="read this instead of spec.data.source")] = "",
    seed: Annotated[int | None, typer.Option(min=0, max=2**31 - 1, help="use this instead of spec.train.seed")] = None,
    reason: Annotated[str, typer.Option(help="why; goes into the record")] = "manual",
    json: Annotated[bool, typer.Option("--json", help="print run.json at the end")] = False,
) -> None:
    """Train, judge, package and register a model."""
    from kelp.runs.local import utc_now
    from kelp.runs.runs import Identity, create_run, resumable_run
    from kelp.spec import load_model, refuse_unbuilt
    from pipelines.compile import compile_model

    session: Session = context.obj
    model = load_model(file)
    refuse_unbuilt(model, str(file))
    home = session.home
    if resume:
        run_dir = resumable_run(home, model)
    else:
        parameters: dict[str, str | int | float | bool] = {"reason": reason, "source": source}
        if seed is not None:
            parameters["seed"] = seed
        identity = Identity(utc_now, lambda: secrets.token_hex(2))
        run_dir = create_run(home, model, compile_model(model), parameters, identity)
    session.err.print(f"[bold]{run_dir.name}[/]")
    record = _watched(session, run_dir)
    if json:
        session.print_json(record.model_dump(mode="json", by_alias=True))
    _finish(session, record, run_dir, quiet=json)


def _watched(session: Session, run_dir: Path) -> "RunRecord":
    """Run it, with a line for each step that ends and one that moves for the step that runs."""
    from kelp.cli.progress_line import progress_line
    from kelp.runs.local import StepEvent, run_local
    from kelp.runs.outputs import step_warnings

    told: set[str] = set()  # evaluate hands on what the steps before it warned of
    with progress_line(session.err) as line:

        def tell(event: StepEvent) -> None:
            if event.state == "running":
                line.start(event.step)
                return
            line.stop()
            _print_step(session, event)
            warnings = step_warnings(run_dir, event.step) if event.error is None else []
            for warning in dict.fromkeys(text for text in warnings if text not in told):
                session.err.print(f"    [yellow]! {escape(warning)}[/]")
            told.update(warnings)

        return run_local(run_dir, home_file=session.home_file, on_event=tell, on_progress=line.show)


_SUMMARIES = {
    "ingest": lambda r: f"{r['rows']:,} rows, {r['quarantined']:,} quarantined",
    "prepare": lambda r: (
        f"{r['rows']['train']:,} training and {r['rows']['test']:,} test rows, {len(r['features'])} features"
    ),
    "train": lambda r: ", ".join(
        [str(r["trainer"]), *(f"{r[name]} {name}" for name in ("rounds", "epochs") if name in r)]
    ),
    "evaluate": lambda r: f"gates: {r['result']}",
    "package": lambda r: f"{len(r['files'])} files, golden rows answered",
    "register": lambda r: f"{r['model']} version {r['version']}: {r['status']}",
}


def _print_step(session: Session, event: "StepEvent") -> None:
    if event.error is not None:
        session.err.print(f"  [red]✗[/] {event.step:<9} failed")
        return
    sign = "[green]✓[/]" if event.state == "done" else "[cyan]↺[/]"
    summary = _SUMMARIES.get(event.step, lambda _: "")(event.result)
    took = "reused" if event.state == "reused" else f"{event.seconds or 0:.1f} s"
    session.err.print(f"  {sign} {event.step:<9} {escape(summary)}  [dim]{took}[/]")


def _finish(session: Session, record: "RunRecord", run_dir: Path, *, quiet: bool) -> None:
    if record.failure is not None:
        raise error_of(record.failure, run_dir)
    outcome: dict[str, Any] = (step.result if (step := record.step("register")) else {}) or {}
    name, version, status = outcome["model"], outcome["version"], outcome["status"]
    report = run_dir / "report.html"
    if not quiet:
        session.out.print(f"report      {report}", markup=False)
        session.out.print("checkpoint")
        session.out.print("  " + session.registry.log.checkpoint().strip().replace("\n", "\n  "), markup=False)
    if status == "superseded":
        session.err.print(f"{name} version {version} passed, but a newer version is champion already", markup=False)
        return
    if status != "champion":
        raise GateFailed(
            f"the gates did not pass: {name} version {version} is {status}", place=str(report), fix="read the report"
        )
    if not quiet:
        session.out.print(f"[bold green]PASS[/] {name} version {version} is champion")


def error_of(failure: "Failure", run_dir: Path) -> KelpError:
    """The failing step's own error, as it was raised in its process."""
    kinds: dict[str, type[KelpError]] = {"IntegrityError": IntegrityError}
    kind = InputError if failure.exit_code == InputError.exit_code else kinds.get(failure.type, EnvironmentFault)
    message = failure.message
    if failure.traceback:
        message = f"{failure.type}: {message}\n{failure.traceback}"
    fix = failure.fix or f"the whole log: {run_dir / 'run.log'}"
    return kind(message, place=failure.place or f"step {failure.step or 'unknown'}", fix=fix)
