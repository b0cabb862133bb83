# SPDX-License-Identifier: Apache-2.0
"""Check what a trainer returns beside its model: the facts of `fit`, and the files of `files`."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from components.train.own import GUIDE, PLACE
from kelp.errors import InputError
from kelp.runs.step import json_values

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\.[A-Za-z0-9]+")
_TAKEN = frozenset(  # names of other files in a version's folder, or in what train writes
    {
        "evaluation.json", "golden.json", "history.parquet", "ingest.json", "manifest.json", "model.onnx",
        "prepare.json", "reference.parquet", "report.html", "search.json", "spec.json", "train.json", "transform.json",
    }
)  # fmt: skip
_PICKLE = b"\x80"  # the first byte of every pickle of protocol 2 or newer


def checked_facts(facts: object) -> dict[str, Any]:
    """Return the facts of `fit` as JSON values.

    Raises:
        InputError: they are no mapping of JSON values, or one that kelp knows is of another type.
    """
    if not isinstance(facts, Mapping) or not all(isinstance(name, str) for name in facts):
        raise _problem(f"expected a mapping of names to JSON values from fit, found a {type(facts).__name__}")
    found: dict[str, Any] = {}
    for name, value in facts.items():
        try:
            found[name] = json_values(value)
        except TypeError as error:
            raise _problem(f"expected JSON values from fit, found {name} as a {_kind_of(value)}") from error
    for name, (expected, is_right) in _KNOWN.items():
        if name in found and not is_right(found[name]):
            raise _problem(f"expected {name} from fit to be {expected}, found {str(facts[name])[:80]}")
    return found


def checked_files(files: object) -> dict[str, bytes]:
    """Return what `files` returned, sorted by name.

    Raises:
        InputError: it is no mapping of plain names to bytes, a name is taken, or a file is a pickle.
    """
    if not isinstance(files, Mapping):
        raise _problem(f"expected a mapping of names to bytes from files, found a {type(files).__name__}")
    for name, content in files.items():
        if not isinstance(name, str) or not _FILE_NAME.fullmatch(name) or name in _TAKEN:
            raise _problem(f"expected a plain file name of its own, such as model.bin, from files, found {name!r}")
        if not isinstance(content, bytes):
            raise _problem(f"expected bytes from files, found {name} as a {type(content).__name__}")
        if content.startswith(_PICKLE):
            raise _problem(
                f"expected no pickle from files, found one in {name}", "whoever loads a pickle runs its code"
            )
    return {name: files[name] for name in sorted(files)}


def _kind_of(value: Any) -> str:
    """The type of a value, or of what is in it."""
    if isinstance(value, Mapping | list | tuple):
        items = value.values() if isinstance(value, Mapping) else value
        kinds = sorted({type(item).__name__ for item in items})
        return f"{type(value).__name__} of {', '.join(kinds)}"
    return type(value).__name__


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_length(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


_KNOWN: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "params": ("a mapping", lambda value: isinstance(value, dict)),
    "rounds": ("a whole number from 1 on", _is_length),
    "epochs": ("a whole number from 1 on", _is_length),
    "validation": ("a finite number", _is_number),
    "importance": (
        "a mapping of numbers",
        lambda value: isinstance(value, dict) and all(map(_is_number, value.values())),
    ),
    "warnings": (
        "a list of texts",
        lambda value: isinstance(value, list) and all(isinstance(text, str) for text in value),
    ),
}


def _problem(message: str, fix: str = GUIDE) -> InputError:
    return InputError(message, place=PLACE, fix=fix)
