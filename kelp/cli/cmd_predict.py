# SPDX-License-Identifier: Apache-2.0
"""kelp predict: raw rows to the running server, answers to the terminal."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from kelp.cli.instances import instances_from_text
from kelp.cli.session import Session
from kelp.errors import EnvironmentFault, InputError, RequestError


def predict(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="the model")],
    input_: Annotated[str, typer.Option("--input", help="raw rows: a .json or .csv file, or - for JSON on stdin")],
    limit: Annotated[int | None, typer.Option(min=1, help="send only the first rows")] = None,
    wait: Annotated[float, typer.Option(min=0, help="seconds to wait for the server")] = 0,
) -> None:
    """Ask the server that `kelp up` runs; one answer a row, as JSON."""
    session: Session = context.obj
    transform = json.loads(session.champion_file(name, "transform.json"))
    types = {column["name"]: column["type"] for column in transform["columns"]}
    types |= {window["name"]: "float" for window in transform.get("windows", [])}
    instances = instances_from_text(read_input(input_), input_, types)[:limit]
    for prediction in _post(_address(session, wait), name, instances):
        print(json.dumps(prediction, ensure_ascii=False))


def read_input(source: str) -> str:
    """The text of a file, or of stdin for `-`.

    Raises:
        InputError: it cannot be read, or is not UTF-8.
    """
    try:
        content = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
        return content.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", place=source, fix="name a .json or .csv file") from error
    except UnicodeDecodeError as error:
        raise InputError("expected UTF-8, found another encoding", place=source, fix="save it as UTF-8") from error


def _address(session: Session, wait: float) -> str:
    from kelp.cli.server import read_up

    deadline = time.monotonic() + wait
    while (up := read_up(session.workspace)) is None:
        if time.monotonic() >= deadline:
            raise EnvironmentFault("no server is running", place=str(session.workspace), fix="kelp up starts it")
        time.sleep(0.1)
    return up.address


def _post(address: str, name: str, instances: list[Any]) -> list[Any]:
    import httpx

    url = f"{address}/v1/models/{name}:predict"
    body = json.dumps({"instances": instances})  # NaN and all: what is wrong with a value is the server's to say
    try:
        response = httpx.post(url, content=body, headers={"content-type": "application/json"}, timeout=60)
    except httpx.TransportError as error:
        raise EnvironmentFault(f"the server does not answer ({error})", place=url, fix="kelp up") from error
    if response.status_code != 200:
        raise RequestError(f"the server answered {response.status_code}: {response.text[:500]}", place=url)
    predictions: list[Any] = response.json()["predictions"]
    return predictions
