# SPDX-License-Identifier: Apache-2.0
"""A version of a model as files, and how much memory it will take."""

from dataclasses import dataclass
from pathlib import Path

from kelp.errors import EnvironmentFault
from kelp.frame.history_table import HISTORY_FILE
from kelp.frame.scorer import MODEL_FILE, TRANSFORM_FILE

_AT_LEAST = 200_000
_IN_MEMORY = {MODEL_FILE: 6, TRANSFORM_FILE: 16, HISTORY_FILE: 12}


@dataclass(frozen=True, slots=True)
class Source:
    """A version of a model, and the folder it is in."""

    name: str
    version: int
    folder: Path


def estimated_bytes(folder: Path) -> int:
    """Roughly what a version takes in memory, from above: measured on the examples' trees and networks.

    Raises:
        EnvironmentFault: the folder cannot be read.
    """
    try:
        sizes = [(folder / name).stat().st_size * factor for name, factor in _IN_MEMORY.items() if name != HISTORY_FILE]
        history = folder / HISTORY_FILE
        sizes.append(history.stat().st_size * _IN_MEMORY[HISTORY_FILE] if history.exists() else 0)
    except OSError as error:
        raise EnvironmentFault(f"cannot be read ({error.strerror})", place=str(error.filename)) from error
    return _AT_LEAST + sum(sizes)
