# SPDX-License-Identifier: Apache-2.0
"""kelp up: serve every champion on this machine, in the foreground."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from kelp.cli.session import Session
from kelp.errors import EnvironmentFault, InputError, KelpError, NotFound

_READY_S = 60


def up(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="models; every one with a champion if left out")] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="the server's port on 127.0.0.1; 0 takes a free one")
    ] = 8080,
) -> None:
    """Serve the champions until Ctrl-C."""
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
            _say(session, address, champions)
            try:
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


def _say(session: Session, address: str, champions: dict[str, int]) -> None:
    for name, version in champions.items():
        session.err.print(f"serving [bold]{name}[/] version {version} at {address}/v1/models/{name}:predict")
    session.err.print("Ctrl-C stops it")
