# SPDX-License-Identifier: Apache-2.0
"""The rim of the command line: options of every command, and errors as messages and exit codes.

Exit codes: 0 done, 2 the user's input is wrong, 3 a gate said no, 4 a fault of the environment.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from kelp.cli import (
    cmd_audit,
    cmd_check,
    cmd_compare,
    cmd_compile,
    cmd_doctor,
    cmd_explain,
    cmd_export,
    cmd_init,
    cmd_models,
    cmd_predict,
    cmd_render,
    cmd_run,
    cmd_runs,
    cmd_status,
    cmd_up,
)
from kelp.cli.session import Session
from kelp.errors import EnvironmentFault, KelpError

START = "Start here"
MORE = "Models and runs"
CLUSTER = "Cluster and CI"
RECORD = "The record"

app = typer.Typer(
    name="kelp",
    help="One file becomes a model that is trained, judged, packaged, served and recorded.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("init", rich_help_panel=START)(cmd_init.init)
app.command("run", rich_help_panel=START)(cmd_run.run)
app.command("up", rich_help_panel=START)(cmd_up.up)
app.command("status", rich_help_panel=START)(cmd_status.status)
app.command("report", rich_help_panel=START)(cmd_runs.report)
app.command("check", rich_help_panel=MORE)(cmd_check.check)
app.command("predict", rich_help_panel=MORE)(cmd_predict.predict)
app.command("explain", rich_help_panel=MORE)(cmd_explain.explain)
app.command("runs", rich_help_panel=MORE)(cmd_runs.runs)
app.command("compare", rich_help_panel=MORE)(cmd_compare.compare)
app.command("models", rich_help_panel=MORE)(cmd_models.models)
app.command("export", rich_help_panel=MORE)(cmd_export.export)
app.command("compile", rich_help_panel=CLUSTER)(cmd_compile.compile_)
app.command("render", rich_help_panel=CLUSTER)(cmd_render.render)
app.command("doctor", rich_help_panel=CLUSTER)(cmd_doctor.doctor)
app.add_typer(cmd_audit.app, name="audit", rich_help_panel=RECORD)


def _version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        print(f"kelp {version('kelp')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    workspace: Annotated[Path, typer.Option(envvar="KELP_WORKSPACE", help="where kelp keeps what it makes")] = Path(
        ".kelp"
    ),
    home: Annotated[
        Path | None, typer.Option(envvar="KELP_HOME", help="the home file, if not WORKSPACE/home.toml")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Set what every command shares."""
    session = Session(workspace.absolute(), home)
    context.obj = session
    context.call_on_close(session.close)


def main() -> None:
    """Run the command line and exit."""
    try:
        app()
    except KelpError as error:
        show_error(error)
        sys.exit(error.exit_code)
    except OSError as error:  # a disk that is full, a folder that may not be written
        fault = EnvironmentFault(error.strerror or str(error), place=str(error.filename or ""))
        show_error(fault)
        sys.exit(fault.exit_code)


def show_error(error: KelpError) -> None:
    """Print an error the way every command does: what and where, then what to do next."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"[bold red]error:[/] {escape(str(error))}")
    if error.fix:
        console.print(f"  [bold]fix:[/] {escape(error.fix)}")
