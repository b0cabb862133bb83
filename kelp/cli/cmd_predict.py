# SPDX-License-Identifier: Apache-2.0
"""kelp predict: raw rows to the running server, answers to the terminal."""

import csv
import io
import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from kelp.cli.session import Session
from kelp.errors import EnvironmentFault, InputError, RequestError

_MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")


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
    instances = _read(input_, {column["name"]: column["type"] for column in transform["columns"]})[:limit]
    if not instances:
        raise InputError("expected rows, found none", place=input_)
    answer = _post(_address(session, wait), name, instances)
    for prediction in answer["predictions"]:
        print(json.dumps(prediction, ensure_ascii=False))


def _address(session: Session, wait: float) -> str:
    from kelp.cli.server import read_up

    deadline = time.monotonic() + wait
    while (up := read_up(session.workspace)) is None:
        if time.monotonic() >= deadline:
            raise EnvironmentFault("no server is running", place=str(session.workspace), fix="kelp up starts it")
        time.sleep(0.1)
    return up.address


def _post(address: str, name: str, instances: list[Any]) -> dict[str, Any]:
    import httpx

    url = f"{address}/v1/models/{name}:predict"
    try:
        response = httpx.post(url, json={"instances": instances}, timeout=60)
    except httpx.TransportError as error:
        raise EnvironmentFault(f"the server does not answer ({error})", place=url, fix="kelp up") from error
    if response.status_code != 200:
        raise RequestError(f"the server answered {response.status_code}: {response.text[:500]}", place=url)
    answer: dict[str, Any] = response.json()
    return answer


def _read(source: str, types: dict[str, str]) -> list[Any]:
    """Instances of a JSON list, a V1 body, a single object, JSON lines, or a CSV file."""
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({error})", place=source) from error
    if source.lower().endswith(".csv"):
        delimiter = max(",;\t|", key=text.split("\n", 1)[0].count)
        rows = csv.DictReader(io.StringIO(text), delimiter=delimiter)
        return [{key: _typed(value, types.get(key, "")) for key, value in row.items() if key} for row in rows]
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"is not JSON: {error}", place=source) from error
    if isinstance(value, dict):
        value = value.get("instances", [value])
    if not isinstance(value, list):
        raise InputError(f"expected a list of rows, found {type(value).__name__}", place=source)
    return value


def _typed(text: Any, kind: str) -> Any:
    """A CSV cell as the JSON value of its column; what does not fit goes as text, for the server to name."""
    if not isinstance(text, str) or text.strip() in _MISSING:
        return None
    text = text.strip()
    if kind in ("int", "float"):
        try:
            return float(text)
        except ValueError:
            return text
    if kind == "bool" and text.lower() in ("true", "t", "1", "false", "f", "0"):
        return text.lower() in ("true", "t", "1")
    return text
