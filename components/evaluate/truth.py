# SPDX-License-Identifier: Apache-2.0
"""What is true of the held-out rows whatever a system answers: their targets, and which of them belong together.

Pure values. `metrics` computes on them, `resampling` draws from them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Positions = npt.NDArray[np.intp]
Statistic = Callable[[FloatArray], FloatArray]
"""Weights (n_draws, n_units), each row with a positive sum, to values (n_draws, n_names)."""
Unit = Literal["row", "entity", "block"]
"""What a bootstrap draws: single rows, all rows of an entity, or all rows of a series or of a stretch of time."""


@dataclass(frozen=True, slots=True)
class Units:
    """Rows that belong together.

    Attributes:
        of_row: each row's unit, from 0 to below `count`, shape (n_rows,).
        count: how many units there are.
        overlap: by how much resamples vary too little, because units beside each other are still alike; 1 if not.
    """

    of_row: Positions
    count: int
    overlap: float = 1.0

    def sums(self, columns: FloatArray) -> FloatArray:
        """Add up columns (n_rows, n_columns) within each unit: shape (count, n_columns)."""
        summed = [np.bincount(self.of_row, column, self.count) for column in columns.T]
        return np.stack(summed, axis=1)

    def only(self, chosen: Positions) -> Self:
        """Number the chosen units anew; every row MUST be in one of them."""
        numbers = np.zeros(self.count, dtype=np.intp)
        numbers[chosen] = np.arange(len(chosen))
        return replace(self, of_row=numbers[self.of_row], count=len(chosen))


@dataclass(frozen=True, slots=True)
class Truth:
    """The held-out rows.

    Attributes:
        task: binary, multiclass, regression or forecast; a text task is judged as multiclass.
        target: float64, shape (n_rows,); class index or value.
        scale: forecasts: the mean error of the seasonal naive forecast of the row's series, NaN if it has none.
        entities: the rows of each entity; None if the spec names no entity.
        blocks: forecasts: rows whose errors may depend on each other; None: every row is alone.
    """

    task: str
    target: FloatArray
    scale: FloatArray | None = None
    entities: Units | None = None
    blocks: Units | None = None

    def at(self, rows: npt.NDArray[Any]) -> Self:
        """Return these rows (a mask, or positions); units keep their numbers, so some may be left without rows."""
        return replace(
            self,
            target=self.target[rows],
            scale=None if self.scale is None else self.scale[rows],
            entities=None if self.entities is None else replace(self.entities, of_row=self.entities.of_row[rows]),
            blocks=None if self.blocks is None else replace(self.blocks, of_row=self.blocks.of_row[rows]),
        )

    def units(self, unit: Unit) -> Units:
        """Return the units of that kind; without entities all rows are one, without blocks each row is its own."""
        rows = len(self.target)
        if unit == "entity":
            return self.entities or Units(np.zeros(rows, dtype=np.intp), 1)
        found = self.blocks if unit == "block" else None
        return found or Units(np.arange(rows), rows)


@dataclass(frozen=True, slots=True)
class Family:
    """Metrics that share their preparation.

    Attributes:
        names: the metrics, in the order of the statistic's columns.
        prepare: (truth, score) to the statistic; what depends on the rows alone (sorting, losses) is done here.
        unit: what the statistic's weights belong to, and so what a bootstrap draws.
    """

    names: tuple[str, ...]
    prepare: Callable[[Truth, FloatArray], Statistic]
    unit: Unit = "row"


def sums_statistic(columns: FloatArray, combine: Callable[[FloatArray], list[FloatArray]]) -> Statistic:
    """Return a statistic that is a function of weighted column sums.

    Args:
        columns: float64, shape (n_units, n_columns).
        combine: sums, shape (n_columns, n_draws), to one array (n_draws,) a metric; may divide by zero.
    """

    def statistic(weights: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.stack(combine((weights @ columns).T), axis=1)
        values[~np.isfinite(values)] = np.nan
        return values

    return statistic
