# SPDX-License-Identifier: Apache-2.0
"""The target as training needs it: which labels there are, each row's number, and whether anything can be learnt."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.prepare.snapshot import Source
from components.prepare.split import LEFT_OUT, TEST, VALIDATION, Parts
from kelp.errors import DataError
from kelp.spec import Model

OF_NUMBERS = ("regression", "forecast")


@dataclass(frozen=True, slots=True)
class Target:
    """The column to learn, and its labels.

    Attributes:
        column: its name.
        classes: (negative, positive) for a binary task, the labels in ascending order for a multiclass or text one,
            none for numbers.
    """

    column: str
    classes: tuple[str, ...]

    def numbers(self, cells: Any) -> NDArray[Any]:
        """The target of rows that have one: int64 positions in `classes`, or float64 values; shape (n,)."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self.classes:
            return np.asarray(cells, dtype=np.float64)
        return np.asarray(pc.index_in(_labels(cells), pa.array(self.classes)), dtype=np.int64)


def read_target(model: Model, source: Source, parts: Parts) -> Target:
    """Find the labels of the rows that are not left out.

    Raises:
        DataError: not the labels that the task needs, or a target that is no number where one is needed.
    """
    name, task = model.spec.data.target, model.spec.task
    place = f"column {name}"
    if task in OF_NUMBERS:
        if source.types[name] not in ("int", "float"):
            raise DataError(
                f"expected numbers for a {task}, found {source.types[name]}",
                place=place,
                fix="declare the target as int or float, or choose another task",
            )
        return Target(name, ())
    found = sorted(_distinct(source, name, parts))
    classes = _binary(model, found, place) if task == "binary" else tuple(found)
    if len(classes) < 2:
        raise DataError(f"expected at least two labels, found only {found}", place=place, fix="get data with more")
    return Target(name, classes)


def _labels(cells: Any) -> Any:
    import pyarrow as pa

    return cells.cast(pa.string())


def _distinct(source: Source, name: str, parts: Parts) -> set[str]:
    import pyarrow as pa

    found: set[str] = set()
    start = 0
    for batch in source.batches([name]):
        is_used = pa.array(parts.codes[start : start + batch.num_rows] != LEFT_OUT)
        found.update(_labels(batch.column(0).filter(is_used)).unique().to_pylist())
        start += batch.num_rows
    return found


def _binary(model: Model, found: list[str], place: str) -> tuple[str, ...]:
    if len(found) > 2:
        raise DataError(f"expected two labels, found {len(found)}: {found[:6]}", place=place, fix="task: multiclass")
    positive = model.spec.data.positive or found[-1]
    if positive not in found:
        raise DataError(
            f"expected the positive label {positive!r}, found {found}",
            place=place,
            fix="name one of them in spec.data.positive",
        )
    return (*(label for label in found if label != positive), positive)


def class_counts(source: Source, target: Target, parts: Parts) -> NDArray[np.int64]:
    """How many rows of each class each part has: shape (parts, classes); one class if the target is a number."""
    classes = max(1, len(target.classes))
    counts = np.zeros((LEFT_OUT + 1) * classes, dtype=np.int64)
    start = 0
    for batch in source.batches([target.column]):
        codes = parts.codes[start : start + batch.num_rows]
        start += batch.num_rows
        positions = np.zeros(len(codes), dtype=np.int64)
        if target.classes:
            is_used = codes != LEFT_OUT
            positions[is_used] = target.numbers(batch.column(0).filter(is_used))
        counts += np.bincount(codes * np.int64(classes) + positions, minlength=len(counts))
    return counts.reshape(-1, classes)


def refuse_unlearnable(model: Model, counts: NDArray[np.int64], boundary: str) -> list[str]:
    """Stop before training on what nothing can be learnt from; return warnings.

    Args:
        model: says how the rows were split.
        counts: from `class_counts`.
        boundary: of the parts, for messages.

    Raises:
        DataError: a part has fewer than two rows, or a single label.
    """
    training = counts[: VALIDATION + 1].sum(axis=0)
    is_of_classes = len(training) > 1
    for name, found in (("training", training), ("test", counts[TEST])):
        place = f"the {name} part (split by {model.spec.data.split_by} at {boundary})"
        if found.sum() < 2:
            raise DataError(
                f"expected at least 2 rows, found {found.sum()}", place=place, fix="more data, or another split"
            )
        if is_of_classes and np.count_nonzero(found) < 2:
            raise DataError("expected at least two labels, found one", place=place, fix="more data, or another split")
    if is_of_classes and np.count_nonzero(counts[VALIDATION]) < 2:
        return [f"the rows kept back for validation have {np.count_nonzero(counts[VALIDATION])} of the labels"]
    return []
