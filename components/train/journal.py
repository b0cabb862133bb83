# SPDX-License-Identifier: Apache-2.0
"""The journal of a search: one JSON line for each finished trial, on the disk before the next trial begins.

A search that is resumed reads its trials from here instead of running them again.
"""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from kelp.errors import IntegrityError
from kelp.store.atomic import atomic_file

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trial:
    """One finished trial.

    Attributes:
        number: from 0 on.
        params: what the search chose; declared params are not in it.
        state: failed trials have a reason and no value.
        value: the validation loss.
        seconds: how long it took.
        length: the rounds or epochs that were best, by that name.
        reason: the first line of what went wrong.
    """

    number: int
    params: Mapping[str, Any]
    state: Literal["complete", "failed"]
    value: float | None
    seconds: float
    length: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""


@dataclass(slots=True)
class Journal:
    """Trials on the disk, in the order in which they ended; nothing is kept if `path` is None."""

    path: Path | None
    trials: list[Trial] = field(default_factory=list)

    @classmethod
    def open(cls, path: Path | None, key: str) -> Self:
        """Read the journal of the search `key`, or begin one.

        The journal of another search (other data, spec, seed or code) is replaced. A last line without its end, which
        is what a crash leaves, is cut off.

        Raises:
            IntegrityError: another line is damaged.
        """
        if path is None:
            return cls(None)
        content = path.read_bytes() if path.exists() else b""
        lines = content.split(b"\n")[:-1]
        found = [_parsed(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1)]
        if found and found[0] != {"search": key}:
            _log.warning("%s is of a search with other data, spec, seed or code: the search starts anew", path)
            found = []
        kept = b"".join(line + b"\n" for line in lines[: len(found)]) or _line({"search": key})
        if kept != content:
            with atomic_file(path, path.parent) as file:
                file.write(kept)
        return cls(path, [_trial(values, path) for values in found[1:]])

    def append(self, trial: Trial) -> None:
        """Add a trial, durably."""
        self.trials.append(trial)
        if self.path is not None:
            with self.path.open("ab") as file:
                file.write(_line(asdict(trial)))
                file.flush()
                os.fsync(file.fileno())


def _line(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True, allow_nan=False).encode() + b"\n"


def _parsed(line: bytes, place: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise _damaged(f"expected JSON, found {line[:40]!r}", place) from error


def _trial(values: Any, path: Path) -> Trial:
    try:
        return Trial(**values)
    except TypeError as error:
        raise _damaged(f"expected a trial, found {str(values)[:40]}", str(path)) from error


def _damaged(message: str, place: str) -> IntegrityError:
    return IntegrityError(message, place=place, fix="remove the file: the search starts anew")
