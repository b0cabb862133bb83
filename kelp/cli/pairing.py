# SPDX-License-Identifier: Apache-2.0
"""How much better B is than A on the same held-out rows, or why that cannot be said.

Both are scored again, each through its own transform, and judged on the same resamples as `components.evaluate` does.
A model must not be judged on rows it may have been trained on: the rows have to be the held-out ones of both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kelp.cli.sides import Side
from kelp.errors import KelpError

if TYPE_CHECKING:
    from components.evaluate.comparison import Judged
    from components.evaluate.holdout import Holdout


@dataclass(frozen=True, slots=True)
class Pairing:
    """The improvement of B over A by metric (value, low, high; positive: B is better) on `rows` rows.

    `reason` says why there is none, and is empty otherwise.
    """

    reason: str = ""
    rows: int = 0
    improvement: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def pair(a: Side, b: Side) -> Pairing:
    """Score and judge both on their common held-out rows."""
    for side in (a, b):
        if not side.task or side.packaged is None:
            return Pairing(f"{side.name} has no version that could be scored")
        if side.prepared is None or not (side.prepared / "test_rows.parquet").is_file():
            return Pairing(f"the held-out rows of {side.name} are not on this machine")
    if a.task != b.task:
        return Pairing(f"they answer other questions: {a.task} and {b.task}")
    try:
        return _judged(a, b)
    except KelpError as error:
        return Pairing(f"they cannot be scored on the same rows: {error}")


def _judged(a: Side, b: Side) -> Pairing:
    import numpy as np

    from components.evaluate import systems
    from components.evaluate.comparison import judge
    from components.evaluate.holdout import read_holdout
    from components.evaluate.resampling import Setting, System

    theirs, holdout = (read_holdout(_folder(side.prepared)) for side in (a, b))
    if not _has_same_rows(theirs, holdout):
        return Pairing("they were judged on different held-out rows")
    found = []
    for name, side in (("B", b), ("A", a)):
        system = systems.champion(holdout, side.packaged)
        if not isinstance(system, System):
            return Pairing(system.reason.replace("the champion", side.name))
        found.append(replace(system, name=name))
    rng = np.random.default_rng(b.spec.get("train", {}).get("seed", 0))
    setting = Setting(float(b.evaluation["confidence"]), rng)
    return Pairing("", len(holdout.target), _plain(judge(setting, holdout.truth, found)["A"]))


def _has_same_rows(a: "Holdout", b: "Holdout") -> bool:
    """Whether targets, and every raw column that both read, are equal row by row."""
    import numpy as np

    windows = {window.name for holdout in (a, b) for window in holdout.transform.windows}  # may be defined otherwise
    common = [name for name in a.raw.column_names if name in b.raw.column_names and name not in windows]
    if not common or not np.array_equal(a.target, b.target):
        return False
    return all(a.raw.column(name).equals(b.raw.column(name)) for name in common)


def _folder(path: Path | None) -> Path:
    assert path is not None  # `pair` has looked
    return path


def _plain(judged: "Judged") -> dict[str, dict[str, Any]]:
    return {
        name: {"value": one.value, "low": one.low, "high": one.high, "reason": one.reason}
        for name, one in judged.improvement.items()
    }
