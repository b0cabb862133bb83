# SPDX-License-Identifier: Apache-2.0
"""Windows of all rows at once: one set of Ibis expressions, on whole units, so that any engine gives the same numbers.

The batch form of `kelp.frame.history`, which answers the same windows one row at a time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.prepare.engine import Engine
from kelp.frame.parts import MOST_UNITS, Take, Window
from kelp.parquet import write_parquet

NUMBERS = ("int", "float", "bool")
_PARTS: Mapping[Take, tuple[str, ...]] = {  # what the engine counts in whole numbers for each `take`
    "count": ("count",),
    "sum": ("count", "sum"),
    "mean": ("count", "sum"),
    "min": ("min",),
    "max": ("max",),
    "distinct": ("distinct",),
    "since": ("newest",),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that windows are computed from.

    Attributes:
        table: ibis.Table of the snapshot, from `Engine.table`.
        cells: the name there of every column.
        types: of every column.
        time: the column of time.
        needed: columns without which a row is left out.
    """

    table: Any
    cells: Mapping[str, str]
    types: Mapping[str, str]
    time: str
    needed: Sequence[str]

    def cell(self, name: str) -> Any:
        """A column as an ibis expression."""
        return self.table[self.cells[name]]

    def event(self, window: Window) -> Any:
        """The value a row adds to a window: whole units or the value itself; null where it adds none."""
        import ibis

        value = self.cell(window.over)
        if self.types[window.over] in NUMBERS:
            value = _whole_units(value, window.unit)
        is_event = reduce(lambda one, other: one & other, (self.cell(n).notnull() for n in (*window.by, *self.needed)))
        return ibis.ifelse(is_event, value, ibis.null(value.type()))


def _whole_units(value: Any, unit: float) -> Any:
    import ibis

    scaled = value.cast("float64") / ibis.literal(unit, "float64")
    known = ibis.ifelse(scaled.isnan(), ibis.null("float64"), scaled)
    return (known.clip(float(-MOST_UNITS), float(MOST_UNITS)) + 0.5).floor().cast("int64")


def write_windows(engine: Engine, rows: Rows, windows: Sequence[Window], path: Path) -> None:
    """Write every window of every row, in the order of the snapshot: float64 columns by name, NaN where missing."""
    import pyarrow as pa

    schema = pa.schema([(window.name, pa.float64()) for window in windows])
    write_parquet(_answers(engine, rows, windows, schema), schema, path)


def _answers(engine: Engine, rows: Rows, windows: Sequence[Window], schema: Any) -> Iterator[Any]:
    import pyarrow as pa

    expression, names = _expression(rows, windows)
    for batch in engine.batches(expression):
        times = np.asarray(batch.column("time"))
        values = [_value(window, times, [batch.column(name) for name in names[window.name]]) for window in windows]
        yield pa.record_batch(values, schema=schema)


def _expression(rows: Rows, windows: Sequence[Window]) -> tuple[Any, dict[str, list[str]]]:
    """One expression for all windows, and the columns that each of them is computed from."""
    events = {(window.by, window.over): f"e{at}" for at, window in enumerate(windows)}
    keys = {name: f"k{at}" for at, name in enumerate(dict.fromkeys(name for window in windows for name in window.by))}
    base = rows.table.select(
        row=rows.table["row"],
        time=rows.cell(rows.time),
        **{key: rows.cell(name) for name, key in keys.items()},
        **{events[window.by, window.over]: rows.event(window) for window in windows},
    )
    found: dict[tuple[Any, ...], str] = {}
    columns: dict[str, Any] = {"row": base["row"], "time": base["time"]}
    names: dict[str, list[str]] = {}
    for window in windows:
        names[window.name] = []
        for part in _PARTS[window.take]:
            identity = (window.by, window.over, window.start_us, window.end_us, part)
            name = found.setdefault(identity, f"w{len(found)}")
            names[window.name].append(name)
            if name not in columns:
                event = base[events[window.by, window.over]]
                columns[name] = _part(part, event, base, _frame(window, base, keys))
    return base.select(**columns).order_by("row").drop("row"), names


def _frame(window: Window, base: Any, keys: Mapping[str, str]) -> Any:
    import ibis

    return ibis.range_window(
        preceding=(window.start_us, window.end_us),
        group_by=[base[keys[name]] for name in window.by],
        order_by=base["time"],
    )


def _part(part: str, event: Any, base: Any, frame: Any) -> Any:
    match part:
        case "count":
            return event.count().over(frame)
        case "sum":
            return event.sum().over(frame).cast("int64")
        case "min":
            return event.min().over(frame)
        case "max":
            return event.max().over(frame)
        case "distinct":
            return event.collect().over(frame).unique().length()
    return base["time"].max(where=event.notnull()).over(frame)


def _value(window: Window, times: NDArray[np.int64], parts: Sequence[Any]) -> NDArray[np.float64]:
    """A window's float64 from whole numbers, by the same operations as `kelp.frame.history` does them."""
    first = _whole(parts[0])
    if window.take in ("count", "distinct"):
        return first[0].astype(np.float64)
    if window.take == "since":
        return _missing_where(first[1], (times - first[0]) / 1e6)
    if window.take in ("min", "max"):
        return _missing_where(first[1], first[0].astype(np.float64) * window.unit)
    count, total = first[0], _whole(parts[1])[0].astype(np.float64)
    if window.take == "sum":
        return total * window.unit
    return _missing_where(count == 0, total / np.maximum(count, 1) * window.unit)


def _whole(cells: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Whole numbers with 0 where missing, and where that is."""
    return np.asarray(cells.cast("int64").fill_null(0)), np.asarray(cells.is_null())


def _missing_where(is_missing: NDArray[np.bool_], values: NDArray[np.float64]) -> NDArray[np.float64]:
    values[is_missing] = np.nan
    return values
