# SPDX-License-Identifier: Apache-2.0
"""The target as training needs it: which labels there are, and each row's number."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelp.errors import DataError
from kelp.spec import Model


def read_target(model: Model, table: Any) -> tuple[tuple[str, ...], NDArray[Any]]:
    """Return the classes and every row's target.

    Args:
        model: says the task and, for a binary one, the positive label.
        table: pyarrow.Table, at least one row.

    Returns:
        (negative, positive) for a binary task, the labels in ascending order for a multiclass one, nothing for a
        regression; and int64 positions in them or, for a regression, float64 values, shape (n,).

    Raises:
        DataError: not the labels that the task needs, or a regression's target that is no number.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    target, place = table.column(model.spec.data.target), f"column {model.spec.data.target}"
    if model.spec.task == "regression":
        if not (pa.types.is_integer(target.type) or pa.types.is_floating(target.type)):
            fix = "declare the target as int or float, or choose another task"
            raise DataError(f"expected numbers for a regression, found {target.type}", place=place, fix=fix)
        return (), np.asarray(target.to_numpy(), dtype=np.float64)
    labels = target.cast(pa.string())
    found = sorted(labels.unique().to_pylist())
    classes = _binary(model, found, place) if model.spec.task == "binary" else tuple(found)
    if len(classes) < 2:
        raise DataError(f"expected at least two labels, found only {found}", place=place, fix="get data with more")
    return classes, np.asarray(pc.index_in(labels, pa.array(classes)).to_numpy(), dtype=np.int64)


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
