# SPDX-License-Identifier: Apache-2.0
"""From a file to a Model, or to one error that lists every problem of the file."""

import difflib
import json
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kelp.errors import NotBuiltYet, NotFound, SpecError
from kelp.spec.model import Model
from kelp.spec.rules import not_built_yet, problems
from kelp.spec.types import Part
from kelp.spec.yaml import parse

_COMPARISONS = {
    "greater than or equal to": ">=",
    "less than or equal to": "<=",
    "greater than": ">",
    "less than": "<",
}


def load_model(path: Path) -> Model:
    """Read and check one `models/<name>.yaml`.

    Raises:
        SpecError: with every problem of the file, each with path, expected and found.
        NotFound: there is no such file.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(
            "there is no such file", place=str(path), fix="kelp init DATA --target COL writes one"
        ) from error
    except OSError as error:
        raise SpecError(f"cannot be read ({error.strerror})", place=str(path)) from error
    return model_from_values(parse(content, str(path)), str(path))


def model_from_json(text: str) -> Model:
    """The Model of a `Model.to_json()` text."""
    return model_from_values(json.loads(text), "spec")


def model_from_values(values: dict[str, Any], place: str) -> Model:
    """Check parsed values; `place` names their origin in messages."""
    try:
        model = Model.model_validate(values)
    except ValidationError as error:
        found = [_problem(item) for item in error.errors()]
        raise SpecError(_headline(found), place=place, problems=found) from error
    found = problems(model)
    if found:
        raise SpecError(_headline(found), place=place, problems=found)
    return model


def refuse_unbuilt(model: Model, place: str) -> None:
    """Refuse to run a model that asks for what this release has no code for.

    Raises:
        NotBuiltYet: naming every such field.
    """
    fields = not_built_yet(model)
    if fields:
        raise NotBuiltYet(f"not built yet: {', '.join(fields)}", place=place, fix="leave these fields out for now")


def _headline(found: list[str]) -> str:
    return f"{len(found)} problem{'s' if len(found) != 1 else ''} in the spec"


def _problem(error: Any) -> str:
    path = _path(error["loc"])
    kind, value, message = error["type"], error["input"], error["msg"]
    if kind == "missing":
        return f"{path}: expected a value, found nothing; this field is required"
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(error["loc"][-1]), _names(error["loc"][:-1]), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{path}: unknown field{hint}"
    expected = re.sub(r"^Value error, ", "", message)
    expected = re.sub(r"^(Input|String|Dictionary|Tuple|List) should (be |have )?", "expected ", expected)
    for words, sign in _COMPARISONS.items():
        expected = expected.replace(f"expected {words}", f"expected a number {sign}")
    return f"{path}: {expected}, got {_short(value)}"


def _path(location: tuple[int | str, ...]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return "".join(parts).lstrip(".")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _names(location: tuple[int | str, ...]) -> list[str]:
    """The YAML names of the fields beside an unknown one."""
    part: Any = Model
    for name in location:
        if isinstance(name, int):
            continue
        field = next((f for f in part.model_fields.values() if f.alias == name), None)
        if field is None:
            continue  # a key of a free mapping, such as a column's name
        part = _part_in(field.annotation) or part
    return [field.alias or "" for field in part.model_fields.values()]


def _part_in(annotation: Any) -> type[Part] | None:
    """The Part inside an annotation such as `tuple[Gate, ...]` or `Legacy | None`."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    found = (_part_in(argument) for argument in getattr(annotation, "__args__", ()))
    return next((part for part in found if part is not None), None)
