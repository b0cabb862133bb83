# SPDX-License-Identifier: Apache-2.0
"""Two sides side by side, as one JSON value: what differs, and how the metrics compare. Pure.

`kelp compare` prints it, `kelp.cli.comparison_page` draws it.
"""

from collections.abc import Mapping
from typing import Any

from kelp.cli.pairing import Pairing
from kelp.cli.sides import Side

Document = dict[str, Any]
DIGESTS = {"snapshot": "data", "prepared": "prepared data", "code": "code", "spec": "spec"}


def compare(a: Side, b: Side, pairing: Pairing, *, is_all: bool) -> Document:
    """Return what the two have in common and what not.

    Args:
        a: the first.
        b: the one that is better where a difference is positive.
        pairing: what was found on the same rows.
        is_all: also the parameters and fields of the spec that are equal.
    """
    return {
        "a": _about(a),
        "b": _about(b),
        "digests": [_digest(name, a, b) for name in DIGESTS],
        "params": _rows(_params(a), _params(b), is_all=is_all),
        "spec": _rows(_fields(a), _fields(b), is_all=is_all),
        "packages": _rows(a.facts.packages, b.facts.packages, is_all=is_all),
        "metrics": _metrics(a, b, pairing),
        "isPaired": not pairing.reason,
        "reason": pairing.reason,
        "rows": pairing.rows or None,
        "confidence": [side.evaluation.get("confidence") for side in (a, b)],
    }


def _about(side: Side) -> Document:
    facts = side.facts
    names = ("run", "model", "version", "state", "reason", "created", "seconds", "gates")
    return {"name": side.name, "task": side.task, **{name: getattr(facts, name) for name in names}}


def _digest(name: str, a: Side, b: Side) -> Document:
    mine, theirs = a.facts.digests.get(name), b.facts.digests.get(name)
    is_equal = None if mine is None or theirs is None else mine == theirs
    return {"name": DIGESTS[name], "a": mine, "b": theirs, "isEqual": is_equal}


def _params(side: Side) -> dict[str, Any]:
    seed = {} if side.facts.seed is None else {"seed": side.facts.seed}
    return {**side.facts.params, **seed}


def _fields(side: Side) -> dict[str, Any]:
    """The spec's fields by their path, without the trainer's parameters, which are compared as they were used."""
    flat = _flat(side.spec, "")
    return {name: value for name, value in flat.items() if not name.startswith(("train.params", "train.seed"))}


def _flat(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {path: value}
    found: dict[str, Any] = {}
    for name, item in value.items():
        found |= _flat(item, f"{path}.{name}" if path else str(name))
    return found


def _rows(a: Mapping[str, Any], b: Mapping[str, Any], *, is_all: bool) -> list[Document]:
    """A row a name; a side that does not have the name has None. Nothing if only one side is known at all."""
    if not a or not b:
        return []
    names = dict.fromkeys([*a, *b])
    rows = [{"name": name, "a": a.get(name), "b": b.get(name)} for name in names]
    return [row for row in rows if is_all or row["a"] != row["b"]]


def _metrics(a: Side, b: Side, pairing: Pairing) -> list[Document]:
    """A row a metric, those that a gate names first."""
    names = dict.fromkeys([*b.facts.main_metrics, *a.facts.main_metrics, *a.facts.metrics, *b.facts.metrics])
    return [
        {
            "name": name,
            "a": a.facts.metrics.get(name),
            "b": b.facts.metrics.get(name),
            "better": pairing.improvement.get(name),
        }
        for name in names
    ]


def verdict(better: Mapping[str, Any] | None) -> str:
    """`better`, `worse` or `even`; empty where there is no interval to say it by."""
    if better is None or better["low"] is None:
        return ""
    return "better" if better["low"] > 0 else "worse" if better["high"] < 0 else "even"


def words(better: Mapping[str, Any] | None) -> str:
    """The paired difference in words, as the report writes it."""
    kind = verdict(better)
    if better is None or not kind:
        return str(better["reason"]) if better else ""
    lead = {"better": "B better by ", "worse": "B worse by ", "even": "no clear difference, "}[kind]
    size = f"{better['value'] + 0.0:+.3g}" if kind == "even" else f"{abs(better['value']):.3g}"
    return f"{lead}{size} ({better['low']:+.3g} to {better['high']:+.3g})"
