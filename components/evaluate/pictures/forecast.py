# SPDX-License-Identifier: Apache-2.0
"""What is drawn of forecasts: some series over time, and how the error moves from origin to origin. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from components.evaluate.metrics import values_of
from components.evaluate.series import SeriesRows
from components.evaluate.truth import FloatArray, Truth

STEPS = 120
MOST_ORIGINS = 60
DAY_US = 86_400_000_000
_MONDAY_US = 4 * DAY_US  # 1970-01-05
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class DrawnSeries:
    """The last 120 rows of one series: times in ISO 8601, UTC; values aligned with them."""

    name: str
    why: str
    times: tuple[str, ...]
    seconds: tuple[float, ...]
    actual: tuple[float, ...]
    forecast: tuple[float, ...]
    naive: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """The candidate's metrics on some of the rows, and those of the seasonal naive forecast on the same."""

    name: str
    rows: int
    metrics: Mapping[str, float]
    naive: Mapping[str, float]


def drawn_series(truth: Truth, score: FloatArray, rows: SeriesRows) -> list[DrawnSeries]:
    """Return the series with the largest values, the middle one, and the one with the worst share of errors."""
    count = len(rows.names)
    size = np.bincount(rows.of_row, np.abs(truth.target), count) / np.bincount(rows.of_row, minlength=count)
    error = np.bincount(rows.of_row, np.abs(score - truth.target), count)
    total = np.bincount(rows.of_row, np.abs(truth.target), count)
    share = np.where(total > 0, error / np.where(total > 0, total, 1.0), 0.0)
    by_size = np.argsort(-size, kind="stable")
    chosen = {int(by_size[0]): "the largest", int(by_size[count // 2]): "the middle one by size"}
    worst = int(np.argmax(share))
    chosen[worst] = f"{chosen[worst]}, and the worst" if worst in chosen and count > 1 else "the worst by wape"
    if count == 1:
        chosen = {0: "the only one"}
    return [_drawn(truth, score, rows, position, why) for position, why in chosen.items()]


def _drawn(truth: Truth, score: FloatArray, rows: SeriesRows, position: int, why: str) -> DrawnSeries:
    mine = np.flatnonzero(rows.of_row == position)
    mine = mine[np.argsort(rows.time_us[mine], kind="stable")][-STEPS:]
    seconds = (rows.time_us[mine] / 1e6).tolist()
    return DrawnSeries(
        name=rows.names[position],
        why=why,
        times=tuple(map(_iso, rows.time_us[mine].tolist())),
        seconds=tuple(seconds),
        actual=tuple(truth.target[mine].tolist()),
        forecast=tuple(score[mine].tolist()),
        naive=tuple(rows.naive[mine].tolist()),
    )


def _iso(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat().replace("+00:00", "Z")


def by_origin(truth: Truth, score: FloatArray, rows: SeriesRows) -> list[ErrorRow]:
    """Return the errors of each origin: the first horizon of the test part, the second..., the last 60 of them."""
    origins = rows.origins
    present = np.unique(origins)[-MOST_ORIGINS:]
    start = int(rows.time_us.min())
    return [
        _errors(truth, score, rows, origins == origin, _iso(start + int(origin) * rows.horizon_us))
        for origin in present
    ]


def by_weekday(truth: Truth, score: FloatArray, rows: SeriesRows) -> list[ErrorRow]:
    """Return the errors on each day of the week (UTC); nothing for rows further apart than a day."""
    if rows.frequency_us > DAY_US:
        return []
    days = (rows.time_us - _MONDAY_US) // DAY_US % 7
    return [_errors(truth, score, rows, days == day, WEEKDAYS[day]) for day in np.unique(days).tolist()]


def _errors(truth: Truth, score: FloatArray, rows: SeriesRows, chosen: npt.NDArray[np.bool_], name: str) -> ErrorRow:
    part = truth.at(chosen)
    return ErrorRow(name, len(part.target), values_of(part, score[chosen]), values_of(part, rows.naive[chosen]))
