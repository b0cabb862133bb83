# SPDX-License-Identifier: Apache-2.0
"""From a file to a Model, or to one error with all that is wrong: with its fields first, then between them."""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kelp.errors import NotBuiltYet, NotFound, SpecError
from kelp.spec.messages import describe
from kelp.spec.model import Model
from kelp.spec.rules import not_built_yet, problems
from kelp.spec.yaml import parse


def load_model(path: Path) -> Model:
    """Read and check one `models/<name>.yaml`.

    Raises:
        SpecError: with every problem of the file's fields or, once all are right, every broken rule between them;
            each with path, expected and found.
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
    """The Model of a `Model.to_json()` text.

    Raises:
        SpecError: the text is not JSON, or as in `load_model`.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SpecError(f"expected the JSON of a spec: {error}", place="spec") from error
    if not isinstance(values, dict):
        raise SpecError(f"expected the JSON of a spec, found {type(values).__name__}", place="spec")
    return model_from_values(values, "spec")


def model_from_values(values: dict[str, Any], place: str) -> Model:
    """Check parsed values; `place` names their origin in messages.

    Raises:
        SpecError: as in `load_model`.
    """
    try:
        # As JSON and strictly: a list for a list, and neither "yes" nor 1 for true.
        model = Model.model_validate_json(json.dumps(values, allow_nan=False), strict=True)
    except ValidationError as error:
        found = [describe(item) for item in error.errors()]
        raise SpecError(_headline(found), place=place, problems=found) from error
    except ValueError as error:
        raise SpecError(f"expected finite numbers only: {error}", place=place) from error
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
