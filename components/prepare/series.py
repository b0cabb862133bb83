# SPDX-License-Identifier: Apache-2.0
"""Forecasts: are the series whole, what does the seasonal naive forecast say, and how wrong is it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.prepare.columns import forecast_steps
from components.prepare.engine import Engine
from components.prepare.events import json_lists
from components.prepare.windows import Rows
from kelp.errors import DataError
from kelp.frame.parts import MOST_UNITS
from kelp.spec import Model

Scales = Mapping[str, float]
"""From a series to the mean absolute error of its seasonal naive forecasts in the training part."""


def describe_series(model: Model, engine: Engine, rows: Rows) -> tuple[dict[str, float], list[str]]:
    """Count the series; return `series` of prepare.json and warnings.

    Raises:
        DataError: a series has two rows of one time.
    """
    step, horizon, season = forecast_steps(model)
    keys = list(model.spec.data.series.key if model.spec.data.series else ())
    events = rows.table.filter(*(rows.cell(name).notnull() for name in (rows.time, *rows.needed)))
    events = events.select(
        time=events[rows.cells[rows.time]], **{f"k{at}": events[rows.cells[n]] for at, n in enumerate(keys)}
    )
    names = [f"k{at}" for at in range(len(keys))]
    _refuse_duplicates(engine, events, names, keys)
    found = events.group_by(names).agg(
        rows=lambda group: group.count(), span=lambda group: group["time"].max() - group["time"].min()
    )
    is_short, has_holes = found["rows"] < horizon + season, found["span"] > (found["rows"] - 1) * step
    counts = engine.rows(
        found.agg(series=found.count(), short=is_short.ifelse(1, 0).sum(), holes=has_holes.ifelse(1, 0).sum())
    )[0]
    warnings = []
    if counts["short"]:
        warnings.append(
            f"{counts['short']} series have fewer rows than horizon and season ({horizon + season}): they are still"
            " predicted, from key and calendar"
        )
    if counts["holes"]:
        warnings.append(f"{counts['holes']} series have holes: lags into a hole are missing")
    described = {"frequencySeconds": step / 1e6, "horizonSteps": horizon, "seasonSteps": season}
    whole = {name: int(value) if value == int(value) else value for name, value in described.items()}
    return {**whole, "count": int(counts["series"])}, warnings


def _refuse_duplicates(engine: Engine, events: Any, names: Sequence[str], keys: Sequence[str]) -> None:
    twice = events.group_by([*names, "time"]).agg(rows=lambda group: group.count())
    twice = twice.filter(twice["rows"] > 1)
    found = engine.rows(twice.order_by([*names, "time"]).limit(1))
    if found:
        time = np.datetime64(int(found[0]["time"]), "us")
        raise DataError(
            f"expected one row a series and time, found {found[0]['rows']} at {time}Z",
            place=f"columns {', '.join(keys)}",
            fix="add up or remove the others, or name one more column in spec.data.series.key",
        )


def series_of(batch: Any, keys: Sequence[str]) -> Any:
    """The series of each row: a JSON list of the key's texts."""
    return json_lists([batch.column(name).cast("string") for name in keys])


class NaiveErrors:
    """Adds up how wrong the seasonal naive forecast is, in whole units, so that the order does not matter."""

    def __init__(self, unit: float) -> None:
        self._unit = unit
        self._totals: dict[str, list[int]] = {}

    def add(self, series: Any, target: NDArray[np.float64], naive: NDArray[np.float64]) -> None:
        """Take rows of the training part; those whose forecast is missing count for nothing."""
        encoded = series.dictionary_encode()
        positions, is_known = np.asarray(encoded.indices), ~np.isnan(naive)
        errors = np.abs(_units(target[is_known], self._unit) - _units(naive[is_known], self._unit))
        totals = np.zeros(len(encoded.dictionary), dtype=np.int64)
        np.add.at(totals, positions[is_known], errors)
        counts = np.bincount(positions[is_known], minlength=len(totals))
        for name, total, count in zip(encoded.dictionary.to_pylist(), totals.tolist(), counts.tolist(), strict=True):
            known = self._totals.setdefault(name, [0, 0])
            known[0] += total
            known[1] += count

    def scales(self) -> Scales:
        """The mean of every series that has one above 0."""
        return {name: total / count * self._unit for name, (total, count) in self._totals.items() if total}


def _units(values: NDArray[np.float64], unit: float) -> NDArray[np.int64]:
    return np.floor(np.clip(values / unit + 0.5, -MOST_UNITS, MOST_UNITS)).astype(np.int64)
