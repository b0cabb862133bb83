# SPDX-License-Identifier: Apache-2.0
"""A forecast's held-out rows: their times and series, the seasonal naive forecast, and which rows depend on each other.

Every row was forecast at the full horizon, so the test part is what a rolling origin would have seen: origins follow
each other by one horizon, and a row belongs to the origin it is forecast from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from components.evaluate.truth import FloatArray, Units
from kelp.errors import IntegrityError
from kelp.prepared import NAIVE, SCALE, SERIES, TARGET, TIME

MIN_SERIES = 8
OVERLAP = 1.15
COLUMNS = (TIME, SERIES, NAIVE, SCALE)


@dataclass(frozen=True, slots=True)
class SeriesRows:
    """Aligned with the held-out rows.

    Attributes:
        names: of the series, as JSON lists of their keys' texts.
        of_row: each row's position in `names`.
        time_us: int64, microseconds since 1970.
        naive: float64, the seasonal naive forecast; where none is known, a mean of the training part.
        filled: how many rows of `naive` are such a mean.
        scale: float64, NaN where the series has none.
        frequency_us: between two rows of a series.
        horizon_us: how far ahead every row was forecast.
        blocks: the rows that are resampled together.
        resampled_by: what a block is, in words.
    """

    names: tuple[str, ...]
    of_row: npt.NDArray[np.intp]
    time_us: npt.NDArray[np.int64]
    naive: FloatArray
    filled: int
    scale: FloatArray
    frequency_us: int
    horizon_us: int
    blocks: Units
    resampled_by: str

    @property
    def origins(self) -> npt.NDArray[np.intp]:
        """Each row's origin, from 0 on: the first horizon of the test part, the second..."""
        found: npt.NDArray[np.intp] = ((self.time_us - self.time_us.min()) // self.horizon_us).astype(np.intp)
        return found


def read_series(test: Any, train: Any, described: Mapping[str, Any] | None, prepared: Path) -> SeriesRows:
    """Read the columns that only forecasts have.

    Args:
        test: `pyarrow.Table` of test.parquet.
        train: `pyarrow.Table` of the series and targets of the training part.
        described: `series` of prepare.json.
        prepared: the folder, for messages.

    Raises:
        IntegrityError: a column or a length is missing.
    """
    absent = [name for name in COLUMNS if name not in test.column_names]
    if absent or not described or not {"frequencySeconds", "horizonSteps"} <= set(described):
        found = f"no column {absent[0]!r} in test.parquet" if absent else "no series in prepare.json"
        raise IntegrityError(f"expected a forecast's rows, found {found}", place=str(prepared), fix="run prepare again")
    coded = test.column(SERIES).combine_chunks().dictionary_encode()
    names, of_row = tuple(coded.dictionary.to_pylist()), np.asarray(coded.indices, dtype=np.intp)
    time_us = np.asarray(test.column(TIME).cast("timestamp[us]").cast("int64"), dtype=np.int64)
    naive = np.array(test.column(NAIVE), dtype=np.float64)
    is_known = np.isfinite(naive)
    frequency_us = round(described["frequencySeconds"] * 1e6)
    horizon_us = frequency_us * int(described["horizonSteps"])
    blocks, words = blocks_of(Units(of_row, len(names)), time_us, frequency_us, horizon_us)
    return SeriesRows(
        names=names,
        of_row=of_row,
        time_us=time_us,
        naive=np.where(is_known, naive, training_means(train, names)[of_row]),
        filled=int((~is_known).sum()),
        scale=np.array(test.column(SCALE), dtype=np.float64),
        frequency_us=frequency_us,
        horizon_us=horizon_us,
        blocks=blocks,
        resampled_by=words,
    )


def training_means(train: Any, names: tuple[str, ...]) -> FloatArray:
    """Return each series' mean target in the training part; the mean of all where it has no row there."""
    numbers = {name: position for position, name in enumerate(names)}
    target = np.array(train.column(TARGET), dtype=np.float64)
    coded = train.column(SERIES).combine_chunks().dictionary_encode()
    codes = np.array([numbers.get(name, -1) for name in coded.dictionary.to_pylist()], dtype=np.intp)
    found = codes[np.asarray(coded.indices, dtype=np.intp)]
    known = found >= 0
    rows = np.bincount(found[known], minlength=len(names))
    sums = np.bincount(found[known], target[known], len(names))
    return np.where(rows > 0, sums / np.maximum(rows, 1), target.mean())


def blocks_of(series: Units, time_us: npt.NDArray[np.int64], frequency_us: int, horizon_us: int) -> tuple[Units, str]:
    """Choose what to resample, so that rows of different units hardly depend on each other.

    Whole series if there are eight or more (what moves all series at once is then not seen). Else all rows of a stretch
    of time of one horizon, since errors of forecasts h steps ahead hang together over h steps; of longer ones, the cube
    root of the steps, for short horizons (Kuensch, Ann. Statist. 1989; Hall, Horowitz & Jing, Biometrika 1995). The
    interval is then about these series in other times. A stretch's last errors hang together with the next one's first:
    for moving averages over the horizon that hides a quarter of the variance, which `OVERLAP` makes up for.

    Returns:
        The units, and in words what they are.
    """
    if series.count >= MIN_SERIES:
        return series, f"whole series, {series.count:,} of them"
    steps = (int(time_us.max()) - int(time_us.min())) // frequency_us + 1
    length = max(horizon_us // frequency_us, int(np.ceil(round(steps ** (1 / 3), 9))))
    count = max(1, steps // length)
    of_row = np.minimum((time_us - time_us.min()) // (length * frequency_us), count - 1)
    present, numbers = np.unique(of_row, return_inverse=True)
    units = Units(numbers.astype(np.intp), len(present), OVERLAP)
    return units, f"stretches of {length:,} steps of time, {units.count:,} of them"
