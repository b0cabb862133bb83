# SPDX-License-Identifier: Apache-2.0
"""evaluation.json: everything the report shows, as one JSON value whose bytes depend on the inputs alone.

Its `format` is 1; fields are only ever added. Floats are finite, rounded to ten significant digits; what is undefined
is null beside a reason.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from components.evaluate.gates import GateResult, Result

FORMAT = 1
DIGITS = 10
Document = dict[str, Any]


def plain(value: object) -> Any:
    """Return the value as JSON types: dataclasses as camelCase objects, floats rounded, NaN and infinity as null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {_camel(field.name): plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, bool | str | int | None):
        return value
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    raise TypeError(f"expected a JSON value, got {type(value).__name__}")


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def to_json(document: Document) -> str:
    """Write the document; equal documents give equal text."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def sentence(result: Result, gates: Sequence[GateResult], undecided: str) -> str:
    """Say in one sentence why the overall result is what it is."""
    if not gates:
        return "The spec declares no gates, so nothing could fail."
    failed = [gate for gate in gates if gate.result == "fail"]
    open_ = [gate for gate in gates if gate.result == "undecided"]
    if failed:
        more = f", {len(open_)} could not be decided" if open_ else ""
        return f"{len(failed)} of {len(gates)} gates failed{more}; first: {failed[0].gate} ({failed[0].why})."
    if open_:
        reading = "which the spec counts as failed" if undecided == "fail" else "so a person has to approve"
        first = f"{open_[0].gate} ({open_[0].why})"
        return f"{len(open_)} of {len(gates)} gates could not be decided, {reading}; first: {first}."
    return f"All {len(gates)} gates passed." if len(gates) > 1 else "The only gate passed."
