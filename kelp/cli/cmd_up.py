# SPDX-License-Identifier: Apache-2.0
"""kelp up: serve every champion on this machine, in the foreground, and keep the events of what was answered."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kelp.cli.ending import Ending
from kelp.cli.processes import free_port, wait_ready
from kelp.cli.session import Session
from kelp.cli.up_events import EventsProcess, events_database
from kelp.errors import EnvironmentFault, InputError, KelpError, NotFound

if TYPE_CHECKING:
    from kelp.cli.server import Up

_STOPPED = (0, -signal.SIGTERM, -signal.SIGINT, 128 + signal.SIGTERM)


def up(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="models; every one with a champion if left out")] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="the server's port on 127.0.0.1; 0 takes a free one")
    ] = 8080,
    page_port: Annotated[
        int, typer.Option(min=0, max=65535, help="the page's port on 127.0.0.1; 0 takes a free one")
    ] = 0,
    grpc_port: Annotated[
        int, typer.Option(min=0, max=65535, help="the server's port for gRPC; 0 takes a free one")
    ] = 0,
    no_events: Annotated[bool, typer.Option("--no-events", help="keep no events of answered requests")] = False,
) -> None:
    """Serve the champions, and a page about them, until Ctrl-C."""
    from kelp.cli.server import Up, read_up

    session: Session = context.obj
    running = read_up(session.workspace)
    if running is not None:
        raise InputError(f"a server runs already (process {running.pid})", place=running.address, fix="stop it first")
    champions = _champions(session, names)
    address = f"http://127.0.0.1:{free_port(port)}"
    folders = {name: _fetch(session, name, version) for name, version in champions.items()}
    grpc = f"127.0.0.1:{free_port(grpc_port)}"
    command = _server(session, address, grpc)
    for name, folder in folders.items():
        command += ["--model", f"{name}={folder}={champions[name]}"]
    database = events_database(session.workspace)
    with nullcontext() if no_events else EventsProcess(database, session.err.print) as events:
        command += ["--log-url", events.url] if events is not None else []
        code = _serve(
            session, command, Up(pid=os.getpid(), address=address, grpc=grpc, models=champions), page_port, events
        )
    if code not in _STOPPED:
        raise EnvironmentFault(f"the server ended with exit code {code}", place=address)


def _server(session: Session, address: str, grpc: str) -> list[str]:
    """The server's command line, without models."""
    from kelp.home import SIGNING_PUBLIC_KEY

    command = [sys.executable, "-m", "serving.runtime", "--host", "127.0.0.1"]
    command += ["--http-port", address.rpartition(":")[2], "--grpc-port", grpc.rpartition(":")[2]]
    command += ["--verify", "required", "--public-key", str(Path(session.home.keys) / SIGNING_PUBLIC_KEY)]
    command += ["--home", str(session.home_file.resolve()), "--state-dir", str(session.workspace / "serving-state")]
    return command + _pseudonym_key(session)


def _serve(session: Session, command: list[str], up: "Up", page_port: int, events: EventsProcess | None) -> int:
    """Run the server until it ends; return its exit code."""
    from kelp.cli.server import write_up
    from kelp.cli.watched_page import watched_page

    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    with (
        subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True) as process,
        Ending(process) as ending,
    ):
        try:
            wait_ready(f"{up.address}/v2/health/ready", process, "the server")
            if events is not None:
                events.keep_running()
            file = write_up(session.workspace, up)
            try:
                with watched_page(session, up.address, up.models, page_port) as page:
                    _say(session, up, page, events)
                    process.wait()
            finally:
                file.unlink(missing_ok=True)
        except BaseException:
            if not ending.is_asked:  # else it was told to end before it was ready
                ending.ask()
                raise
    return process.returncode


def _champions(session: Session, names: list[str] | None) -> dict[str, int]:
    registry = session.registry
    found = {name: registry.champion(name) for name in names or registry.models()}
    if names:
        without = [name for name, version in found.items() if version is None]
        if without:
            raise NotFound(f"no version of {without[0]!r} is champion", fix="kelp models lists what is registered")
    champions = {name: version for name, version in found.items() if version is not None}
    if not champions:
        raise NotFound("no model has a champion yet", fix="kelp run models/<name>.yaml trains one")
    return champions


def _fetch(session: Session, name: str, version: int) -> Path:
    """Bring a version here; record it if its files are refused. The server checks its signature, and records that."""
    folder = session.workspace / "serving" / name / str(version)
    shutil.rmtree(folder, ignore_errors=True)  # what an earlier server left; never trusted
    try:
        session.registry.fetch(name, version, folder)
    except KelpError as error:
        session.registry.log.append("model.refuse", f"{name}/{version}", {"error": type(error).__name__})
        raise
    return folder


def _pseudonym_key(session: Session) -> list[str]:
    """The server's option; without a key it says itself which model needs one."""
    from kelp.home import PSEUDONYM_KEY

    path = Path(session.home.keys) / PSEUDONYM_KEY
    return ["--pseudonym-key", str(path)] if path.is_file() else []


def _say(session: Session, up: "Up", page: str, events: EventsProcess | None) -> None:
    for name, version in up.models.items():
        session.err.print(f"serving [bold]{name}[/] version {version} at {up.address}/v1/models/{name}:predict")
    session.err.print(f"gRPC    {up.grpc}")
    session.err.print(f"page    {page}")
    if events is not None:
        session.err.print(f"events  {events.database}", markup=False)
        session.err.print("        kelp explain X-REQUEST-ID explains the answer that came with it")
    session.err.print("Ctrl-C stops it")
