# SPDX-License-Identifier: Apache-2.0
"""What is shown of classes: the confusion matrix, what is mistaken for what, and each class on its own. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.evaluate.intervals import Estimate, count_estimate
from components.evaluate.metrics import flagged
from components.evaluate.truth import FloatArray

Counts = npt.NDArray[np.int64]
MOST_CLASSES = 50
MOST_CONFUSED = 10
OTHERS = "(all others)"


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class: rows that are of it, rows labelled so, and how often the label is right either way."""

    name: str
    rows: int
    labelled: int
    precision: Estimate
    recall: Estimate


@dataclass(frozen=True, slots=True)
class Confused:
    """Rows of the class `true` that were labelled `label`, and their share of the class."""

    true: str
    label: str
    rows: int
    share: float


def confusion(target: FloatArray, score: FloatArray, classes: int) -> npt.NDArray[np.int64]:
    """Return counts, shape (classes, classes): rows are true, columns labelled; a binary label is score >= 0.5."""
    label = score.argmax(axis=1) if score.ndim == 2 else flagged(score).astype(np.intp)
    cells = target.astype(np.intp) * classes + label
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def each_class(matrix: Counts, names: Sequence[str], confidence: float) -> list[ClassRow]:
    """Return each class, the largest first; precision and recall have exact intervals."""
    right, rows, labelled = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    return [
        ClassRow(
            names[position],
            int(rows[position]),
            int(labelled[position]),
            _share(int(right[position]), int(labelled[position]), confidence),
            _share(int(right[position]), int(rows[position]), confidence),
        )
        for position in largest_first(matrix)
    ]


def _share(hits: int, rows: int, confidence: float) -> Estimate:
    return count_estimate(hits / max(rows, 1), rows, confidence)


def largest_first(matrix: Counts) -> list[int]:
    """Return the positions of the classes by falling number of rows, then by position."""
    found: list[int] = np.argsort(-matrix.sum(axis=1), kind="stable").tolist()
    return found


def most_confused(matrix: Counts, names: Sequence[str]) -> list[Confused]:
    """Return the ten pairs of a true class and a wrong label that hold the most rows."""
    wrong = matrix * (1 - np.eye(len(matrix), dtype=np.int64))
    found = []
    for cell in np.argsort(-wrong, axis=None, kind="stable")[:MOST_CONFUSED].tolist():
        true, label = divmod(cell, len(matrix))
        if wrong[true, label]:
            rows = int(wrong[true, label])
            found.append(Confused(names[true], names[label], rows, rows / int(matrix[true].sum())))
    return found


def limited(matrix: Counts, names: Sequence[str]) -> tuple[Counts, list[str]]:
    """Return a matrix of at most 50 classes: the largest, in their own order, and the others as one."""
    if len(names) <= MOST_CLASSES:
        return matrix, list(names)
    kept = sorted(largest_first(matrix)[: MOST_CLASSES - 1])
    groups = np.full(len(names), len(kept))
    groups[kept] = np.arange(len(kept))
    found = np.zeros((MOST_CLASSES, MOST_CLASSES), dtype=np.int64)
    np.add.at(found, (groups[:, None], groups[None, :]), matrix)
    return found, [*(names[position] for position in kept), OTHERS]
