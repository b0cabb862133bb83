# SPDX-License-Identifier: Apache-2.0
"""A version of a model as files, and how much memory it will take."""

from dataclasses import dataclass
from pathlib import Path

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

    A file that cannot be read counts nothing: to say so is the load's part.
    """
    return _AT_LEAST + sum(_bytes(folder / name) * factor for name, factor in _IN_MEMORY.items())


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
