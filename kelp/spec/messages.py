# SPDX-License-Identifier: Apache-2.0
"""One line for each thing pydantic finds wrong with a field: `path: expected ..., got ...`."""

import difflib
import json
import re
from typing import Any

from kelp.spec.model import Model
from kelp.spec.types import Part

_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "finite_number": "a finite number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "model_type": "a mapping",
    "string_type": "text",
    "tuple_type": "a list",
}
_COMPARISONS = {
    "greater_than": (">", "gt"),
    "greater_than_equal": (">=", "ge"),
    "less_than": ("<", "lt"),
    "less_than_equal": ("<=", "le"),
}


def describe(error: Any) -> str:
    """The line for one entry of `pydantic.ValidationError.errors()`."""
    kind, place = error["type"], error["loc"]
    path = _path(place)
    if kind == "missing":
        return f"{path}: expected a value, found nothing; this field is required"
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(place[-1]), _names(place[:-1]), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{path}: unknown field{hint}"
    quotes = "; put it in quotes" if kind == "string_type" and isinstance(error["input"], bool | int | float) else ""
    return f"{path}: {_expected(error)}, got {_short(error['input'])}{quotes}"


def _expected(error: Any) -> str:
    kind, message = error["type"], error["msg"]
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}"
    if kind in _COMPARISONS:
        sign, limit = _COMPARISONS[kind]
        return f"expected a number {sign} {error['ctx'][limit]:g}"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    return re.sub(r"^(Input|String) should (be |have )?", "expected ", message)


def _path(place: tuple[int | str, ...]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in place if part != "[key]"]
    return "".join(parts).lstrip(".")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _names(place: tuple[int | str, ...]) -> list[str]:
    """The YAML names of the fields beside an unknown one."""
    part: Any = Model
    for name in place:
        field = next((f for f in part.model_fields.values() if f.alias == name), None)
        if field is not None:  # else the index of a list, or a key of a free mapping, such as a column's name
            part = _part_in(field.annotation) or part
    return [field.alias or "" for field in part.model_fields.values()]


def _part_in(annotation: Any) -> type[Part] | None:
    """The Part inside an annotation such as `tuple[Gate, ...]` or `Legacy | None`."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    found = (_part_in(argument) for argument in getattr(annotation, "__args__", ()))
    return next((part for part in found if part is not None), None)
