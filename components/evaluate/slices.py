# SPDX-License-Identifier: Apache-2.0
"""Rows on which models are often worse than on average: values are missing, or were never seen in training."""

from typing import Any

import numpy as np
import numpy.typing as npt

from components.evaluate.groups import judge_part
from components.evaluate.holdout import Holdout
from components.evaluate.resampling import Setting
from components.evaluate.truth import FloatArray

MIN_ROWS = 30
Rows = npt.NDArray[np.bool_]


def judge_slices(setting: Setting, holdout: Holdout, score: FloatArray) -> list[dict[str, Any]]:
    """Return name, rows and metrics of each slice of at least 30 rows; slices may overlap.

    Args:
        setting: confidence and generator.
        holdout: the rows.
        score: the candidate's.
    """
    return [
        {"slice": name, "rows": int(rows.sum()), "metrics": judge_part(setting, holdout.truth, score, rows)}
        for name, rows in slices_of(holdout).items()
        if MIN_ROWS <= rows.sum() < len(rows)
    ]


def slices_of(holdout: Holdout) -> dict[str, Rows]:
    """Return which rows are in each slice, of any size."""
    table = holdout.raw
    asked = [column.name for column in holdout.transform.columns if not column.optional]
    names = [
        name for name in (*asked, *(window.name for window in holdout.transform.windows)) if name in table.column_names
    ]
    missing = np.zeros(table.num_rows, dtype=np.intp)
    for name in names:
        missing += _is_missing(table.column(name))
    found = {
        "no value missing": missing == 0,
        "a value missing": missing > 0,
        "half of the values missing, or more": missing * 2 >= max(len(names), 1),
    }
    unseen = _unseen(holdout)
    return found if unseen is None else found | {"a category outside the known ones": unseen}


def _is_missing(column: Any) -> Rows:
    import pyarrow.compute as pc

    return np.asarray(pc.is_null(column, nan_is_null=True), dtype=bool)


def _unseen(holdout: Holdout) -> Rows | None:
    """Return the rows with a category outside the transform's; None without categories. Rare ones are outside too."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found: Rows | None = None
    for feature in holdout.transform.features:
        if feature.kind == "category" and feature.column in holdout.raw.column_names:
            column = holdout.raw.column(feature.column).cast("string")
            known = pc.is_in(column, value_set=pa.array(feature.categories, type="string"))
            unseen = ~np.asarray(known, dtype=bool) & ~_is_missing(column)
            found = unseen if found is None else found | unseen
    return found
