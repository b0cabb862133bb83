# SPDX-License-Identifier: Apache-2.0
"""How a source differs from the one that the champion learned from: pure, from the two `ingest.json`."""

from collections.abc import Iterator, Mapping
from typing import Any

_MORE_MISSING = 0.1  # of the rows; less than that is not worth a line


def drift(champion: Mapping[str, Any], summary: Mapping[str, Any]) -> list[str]:
    """Return one text for each column that is new, gone, of another type, or has far more or far fewer gaps.

    Args:
        champion: the content of its `ingest.json`.
        summary: that of this run.
    """
    before, now = champion["columns"], summary["columns"]
    found = [f"column {name} is gone" for name in before if name not in now]
    found += [f"column {name} is new" for name in now if name not in before]
    for name in (name for name in now if name in before):
        found += _changes(name, (before[name], champion["rows"]), (now[name], summary["rows"]))
    return found


def _changes(name: str, before: tuple[Mapping[str, Any], int], now: tuple[Mapping[str, Any], int]) -> Iterator[str]:
    (old, old_rows), (new, new_rows) = before, now
    if old["type"] != new["type"]:
        yield f"column {name}: was {old['type']}, is {new['type']}"
    was, is_now = old["missing"] / max(old_rows, 1), new["missing"] / max(new_rows, 1)
    if abs(is_now - was) > _MORE_MISSING:
        yield f"column {name}: missing {was:.0%} -> {is_now:.0%}"
