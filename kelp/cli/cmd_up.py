# SPDX-License-Identifier: Apache-2.0
"""kelp up: serve every champion on this machine, in the foreground."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kelp.cli.session import Session
from kelp.errors import EnvironmentFault, InputError, KelpError, NotFound

if TYPE_CHECKING:
    from kelp.audit.record import Record

_READY_S = 60
_RECORDS = 20


def up(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="models; every one with a champion if left out")] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="the server's port on 127.0.0.1; 0 takes a free one")
    ] = 8080,
    page_port: Annotated[
        int, typer.Option(min=0, max=65535, help="the page's port on 127.0.0.1; 0 takes a free one")
    ] = 0,
) -> None:
    """Serve the champions, and a page about them, until Ctrl-C."""
    from kelp.cli.server import Up, read_up, write_up

    session: Session = context.obj
    running = read_up(session.workspace)
    if running is not None:
        raise InputError(f"a server runs already (process {running.pid})", place=running.address, fix="stop it first")
    champions = _champions(session, names)
    address = f"http://127.0.0.1:{_free(port)}"
    folders = {name: _fetch(session, name, version) for name, version in champions.items()}
    command = [sys.executable, "-m", "serving.runtime", "--host", "127.0.0.1", "--http-port", address.rsplit(":", 1)[1]]
    command += _pseudonym_key(session)
    for name, folder in folders.items():
        command += ["--model", f"{name}={folder}={champions[name]}"]
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    with subprocess.Popen(command, env=environment) as process:
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        try:
            _wait_ready(address, process)
            file = write_up(session.workspace, Up(pid=os.getpid(), address=address, models=champions))
            try:
                with _page(session, address, champions, page_port) as page:
                    _say(session, address, champions, page)
                    process.wait()
            finally:
                file.unlink(missing_ok=True)
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
    if process.returncode not in (0, -signal.SIGTERM, -signal.SIGINT, 128 + signal.SIGTERM):
        raise EnvironmentFault(f"the server ended with exit code {process.returncode}", place=address)


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
    """Bring a version here, check files and signature, and record that it was loaded or refused."""
    from kelp.home import SIGNING_PUBLIC_KEY
    from kelp.registry.signature import verify

    folder = session.workspace / "serving" / name / str(version)
    log = session.registry.log
    shutil.rmtree(folder, ignore_errors=True)  # what an earlier server left; never trusted
    try:
        session.registry.fetch(name, version, folder)
        verify(folder, Path(session.home.keys) / SIGNING_PUBLIC_KEY)
    except KelpError as error:
        log.append("model.refuse", f"{name}/{version}", {"error": type(error).__name__})
        raise
    log.append("model.load", f"{name}/{version}", {})
    return folder


def _pseudonym_key(session: Session) -> list[str]:
    """The server's option; without a key it says itself which model needs one."""
    from kelp.home import PSEUDONYM_KEY

    path = Path(session.home.keys) / PSEUDONYM_KEY
    return ["--pseudonym-key", str(path)] if path.is_file() else []


def _free(port: int) -> int:
    """The port, if nobody listens there; a free one for 0."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise EnvironmentFault(
                f"port {port} is taken ({error.strerror})", place="127.0.0.1", fix="kelp up --port 0 takes a free one"
            ) from error
        return int(probe.getsockname()[1])


def _wait_ready(address: str, process: "subprocess.Popen[bytes]") -> None:
    import httpx

    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{address}/v2/health/ready", timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    process.terminate()
    raise EnvironmentFault(f"the server was not ready within {_READY_S} s", place=address, fix="read the lines above")


@contextmanager
def _page(session: Session, address: str, champions: dict[str, int], port: int) -> Iterator[str]:
    """The page's address, while it is served."""
    from kelp.cli.page_server import page_app, serving
    from kelp.cli.up_page import up_page
    from kelp.cli.watch import Watch

    with (
        Watch(champions, partial(_metrics, address), partial(_records, session)) as watch,
        serving(page_app(up_page(address), lambda: watch.state), port) as page,
    ):
        yield page


def _metrics(address: str) -> str:
    import httpx

    try:
        return httpx.get(f"{address}/metrics", timeout=1).raise_for_status().text
    except httpx.HTTPError as error:
        raise OSError(str(error)) from error


def _records(session: Session) -> "Sequence[Record]":
    log = session.registry.log
    return [entry.record for entry in log.entries(max(0, log.size() - _RECORDS), _RECORDS)]


def _say(session: Session, address: str, champions: dict[str, int], page: str) -> None:
    for name, version in champions.items():
        session.err.print(f"serving [bold]{name}[/] version {version} at {address}/v1/models/{name}:predict")
    session.err.print(f"page  {page}")
    session.err.print("Ctrl-C stops it")
