# SPDX-License-Identifier: Apache-2.0
"""Divide rows into a training and a test part: by time, by entity or by row, always the same way for the same rows."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.prepare.distinct import Remembered, text_of
from components.prepare.snapshot import Source
from kelp.errors import DataError
from kelp.spec import Model

TRAINING, VALIDATION, TEST, GAP, LEFT_OUT = range(5)
KEPT_BACK = 0.1  # share of the training part, for validation
Codes = NDArray[np.uint8]
_KEEP = "fill the gaps by another `missing` than drop"


@dataclass(frozen=True, slots=True)
class Parts:
    """Which part every row belongs to.

    Attributes:
        codes: shape (rows,); VALIDATION belongs to the training part, GAP and LEFT_OUT to none.
        boundary: where the test part begins, in words.
        end_us: the training part is what lies before it, if the split is by time.
    """

    codes: Codes
    boundary: str
    end_us: int | None = None

    @property
    def is_training(self) -> NDArray[np.bool_]:
        """Whether a row is in the training part, kept back or not."""
        return self.codes <= VALIDATION

    def count(self, *codes: int) -> int:
        """How many rows have one of the codes."""
        return int(np.isin(self.codes, codes).sum())


def split_rows(model: Model, source: Source) -> Parts:
    """Divide the rows; ties in time go to one side, and an entity is never on both.

    Raises:
        DataError: no row has all the values that it needs.
    """
    data, is_complete = model.spec.data, _complete_rows(model, source)
    if data.split_by == "time":
        times = np.empty(source.rows, dtype=np.int64)
        _fill(times, source, str(data.time), lambda cells: cells.cast("timestamp[us]").cast("int64"))
        return by_time(times, is_complete, data.split.test, int(data.split.gap.total_seconds() * 1e6))
    column = data.entity if data.split_by == "entity" else data.id
    codes = np.empty(source.rows, dtype=np.uint8)
    if column is None:
        codes[:] = by_row_number(source.rows, data.split.test, model.spec.train.seed)
    else:
        code_of = Remembered(lambda value: _by_text(text_of(value), data.split.test, model.spec.train.seed))
        missing = _by_text("", data.split.test, model.spec.train.seed)
        _fill(codes, source, column, lambda cells: code_of(cells).cast("uint8").fill_null(missing))
    codes[~is_complete] = LEFT_OUT
    return Parts(codes, f"hash of {column or 'the row number'}")


def _complete_rows(model: Model, source: Source) -> NDArray[np.bool_]:
    """Which rows have a target and no gap in a column with `missing: drop`."""
    names = [*columns_with_drop(model), model.spec.data.target]
    is_complete = np.ones(source.rows, dtype=np.bool_)
    start = 0
    for batch in source.batches(names):
        rows = slice(start, start := start + batch.num_rows)
        for cells in batch.columns:
            is_complete[rows] &= np.asarray(cells.is_valid())
    if not is_complete.any():
        raise DataError(
            "expected rows, found that each of them misses a value",
            place=f"columns {', '.join(names[:-1] or names)}",
            fix=_KEEP,
        )
    return is_complete


def columns_with_drop(model: Model) -> list[str]:
    """The columns without which a row is left out, apart from the target."""
    return [name for name, column in model.spec.data.columns.items() if column.missing == "drop"]


def _fill(target: NDArray[Any], source: Source, column: str, convert: Callable[[Any], Any]) -> None:
    start = 0
    for batch in source.batches([column]):
        target[start : start + batch.num_rows] = np.asarray(convert(batch.column(column)))
        start += batch.num_rows


def by_time(times: NDArray[np.int64], is_complete: NDArray[np.bool_], test: float, gap_us: int) -> Parts:
    """The newest rows are the test part; the newest of the rest are kept back."""
    start = _at_share(times[is_complete], 1 - test)
    end = start - gap_us
    codes = np.full(len(times), GAP, dtype=np.uint8)
    codes[times >= start] = TEST
    is_training = (times < end) & is_complete
    codes[is_training] = TRAINING
    if is_training.any():
        start_of_validation = _at_share(times[is_training], 1 - KEPT_BACK)
        is_kept_back = is_training & (times >= start_of_validation)
        if (is_kept_back == is_training).all():  # all of one time, or nearly so: something must be left to learn from
            is_kept_back = is_training & (times > start_of_validation)
        codes[is_kept_back] = VALIDATION
    codes[~is_complete] = LEFT_OUT
    return Parts(codes, f"{np.datetime64(start, 'us')}Z", end)


def _at_share(times: NDArray[np.int64], share: float) -> int:
    """The time at this share of the ordered times; reorders its argument."""
    position = min(math.floor(len(times) * share), len(times) - 1)
    times.partition(position)
    return int(times[position])


def by_row_number(rows: int, test: float, seed: int) -> Codes:
    """A part for every row by a hash of its number (the finaliser of SplitMix64), the same in every run."""
    numbers = np.arange(rows, dtype=np.uint64)
    shares = [_mixed(numbers + np.uint64((2 * seed + side) << 32)) / 2.0**64 for side in (0, 1)]
    codes = np.where(shares[1] < KEPT_BACK, VALIDATION, TRAINING).astype(np.uint8)
    codes[shares[0] < test] = TEST
    return codes


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _by_text(text: str, test: float, seed: int) -> int:
    """A part for a text; two hashes that are uniform and always the same for one text decide."""
    digest = hashlib.blake2b(text.encode(), key=str(seed).encode(), digest_size=16).digest()
    first, second = int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big")
    if first < test * 2**64:
        return TEST
    return VALIDATION if second < KEPT_BACK * 2**64 else TRAINING
