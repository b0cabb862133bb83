# SPDX-License-Identifier: Apache-2.0
"""Raw rows from a file, as the `instances` of a V1 request. A CSV cell becomes what ingest would make of it."""

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from kelp.errors import InputError

# As in components.ingest, which a test holds equal: what is trained on and what is asked read alike.
MISSING_WORDS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
TRUE = ("true", "t", "1", "1.0")
FALSE = ("false", "f", "0", "0.0")
DELIMITERS = ",;\t|"
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def instances_from_text(text: str, place: str, types: Mapping[str, str]) -> list[Any]:
    """Rows of a JSON list, a V1 body, one JSON object, JSON lines, or CSV when `place` ends in .csv.

    Args:
        text: the whole content.
        place: the file's name.
        types: of the columns that the model knows, for CSV.

    Raises:
        InputError: it is none of these, or has no rows.
    """
    rows = _from_csv(text, place, types) if place.lower().endswith(".csv") else _from_json(text, place)
    if not rows:
        raise InputError("expected rows, found none", place=place)
    return rows


def _from_json(text: str, place: str) -> list[Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) > 1 and all(line.lstrip().startswith("{") and line.rstrip().endswith("}") for line in lines):
            return [_line(line, f"{place}, line {number}") for number, line in enumerate(lines, 1)]
        raise InputError(f"is not JSON: {error}", place=place, fix="send a list of objects, or a .csv file") from error
    if isinstance(value, dict):
        value = value.get("instances", [value])
    if not isinstance(value, list):
        raise InputError(f"expected a list of rows, found {type(value).__name__}", place=place)
    return value


def _line(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"is not JSON: {error}", place=place) from error


def _from_csv(text: str, place: str, types: Mapping[str, str]) -> list[Any]:
    first_line = re.sub(r'"[^"]*"', "", text.split("\n", 1)[0])
    delimiter = max(DELIMITERS, key=first_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = next(reader, [])
        _refuse_names(names, place)
        return [_row(names, cells, types, f"{place}, line {reader.line_num}") for cells in reader if cells]
    except csv.Error as error:
        raise InputError(f"is not CSV: {error}", place=f"{place}, line {reader.line_num}") from error


def _refuse_names(names: Sequence[str], place: str) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"expected different column names, found {twice!r} twice", place=f"{place}, line 1")


def _row(names: Sequence[str], cells: Sequence[str], types: Mapping[str, str], place: str) -> dict[str, Any]:
    if len(cells) != len(names):
        raise InputError(f"expected {len(names)} cells, found {len(cells)}", place=place, fix="one cell a column")
    return {name: _value(cell.strip(), types.get(name, "")) for name, cell in zip(names, cells, strict=True)}


def _value(text: str, kind: str) -> Any:
    """A cell as the JSON value of its column; what does not fit goes as text, for the server to name."""
    if text in MISSING_WORDS:
        return None
    if kind in ("int", "float"):
        return _number(text)
    if kind == "bool" and text.lower() in (*TRUE, *FALSE):
        return text.lower() in TRUE
    return text


def _number(text: str) -> int | float | str:
    if not _NUMBER.fullmatch(text):
        return text
    number = float(text)
    is_whole = text.lstrip("+-").isdigit() and abs(number) < 2**63
    return int(text) if is_whole else number if math.isfinite(number) else text
