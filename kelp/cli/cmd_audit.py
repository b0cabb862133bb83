# SPDX-License-Identifier: Apache-2.0
"""kelp audit: read, verify and prove the record."""

from pathlib import Path
from typing import Annotated

import typer

from kelp.cli.session import Session
from kelp.errors import InputError, IntegrityError

app = typer.Typer(help="Read, verify and prove the record of everything that happened.", no_args_is_help=True)


@app.command()
def show(
    context: typer.Context,
    last: Annotated[int, typer.Option(min=1, max=1000, help="how many records")] = 20,
    json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Print the latest records."""
    session: Session = context.obj
    log = session.registry.log
    entries = log.entries(max(0, log.size() - last), last)
    if json:
        session.print_json([entry.record.model_dump() for entry in entries])
        return
    records = [entry.record for entry in entries]
    rows = [(str(r.seq), f"{r.time[:19]}Z", r.actor, r.action, r.subject) for r in records]
    session.print_table(("seq", "time", "actor", "action", "subject"), rows)


@app.command()
def verify(
    context: typer.Context,
    against: Annotated[
        Path | None, typer.Option(help="a checkpoint kept elsewhere; proves nothing was cut off")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Recompute the whole log, then every file of the registry and every snapshot that it names."""
    from kelp.audit.verify import verify as verify_log
    from kelp.registry.check import check_everything

    session: Session = context.obj
    if "://" in session.home.audit:
        raise InputError("expected a log on this machine", place=session.home.audit, fix="verify a copy of its folder")
    kept = _read_checkpoint(against) if against else None
    report = verify_log(Path(session.home.audit) / "audit.db", session.registry.log.vkey(), against=kept)
    problems = [str(problem) for problem in report.problems]
    files, wrong = check_everything(session.registry, session.home)
    problems += wrong
    if json:
        session.print_json({"ok": not problems, "records": report.size, "files": files, "problems": problems})
    else:
        for note in report.notes:
            session.out.print(f"note: {note}", markup=False)
    if problems:
        raise IntegrityError(f"{len(problems)} problems\n  " + "\n  ".join(problems), place=session.home.audit)
    if not json:
        session.out.print(f"[bold green]OK[/] {report.size} records and {files} files are as they were recorded")


@app.command()
def prove(
    context: typer.Context,
    seq: Annotated[int, typer.Argument(min=0, help="the record's number")],
) -> None:
    """Print one record with the proof that it is in the log, to hand to an outsider."""
    from kelp.audit.bundle import prove as prove_record

    session: Session = context.obj
    session.print_json(prove_record(session.registry.log, seq))


@app.command()
def checkpoint(context: typer.Context) -> None:
    """Print the latest signed checkpoint; keep it where the log's owner cannot change it."""
    session: Session = context.obj
    print(session.registry.log.checkpoint(), end="")


def _read_checkpoint(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the checkpoint cannot be read ({error})", place=str(path)) from error
