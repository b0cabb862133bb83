# SPDX-License-Identifier: Apache-2.0
"""What a reader has to know of the systems and of single metrics, in words. Pure; the step calls it."""

from collections.abc import Iterator, Sequence

import numpy as np

from components.evaluate.holdout import Holdout
from components.evaluate.resampling import System
from components.evaluate.series import SeriesRows


def notes(holdout: Holdout, systems: Sequence[System]) -> Iterator[tuple[str, str]]:
    """Yield a system's or a metric's name, or `intervals`, and what is to be known of it."""
    yield from ((system.name, system.note) for system in systems if system.note)
    if holdout.truth.task == "binary" and holdout.truth.entities is not None:
        yield (
            "ndcg_at_10",
            "over entities with two rows or more and a positive; rows of equal score count as in an average order",
        )
    if holdout.series is not None:
        yield from _series_notes(holdout.series)


def _series_notes(series: SeriesRows) -> Iterator[tuple[str, str]]:
    rows, left_out = len(series.scale), int((~np.isfinite(series.scale)).sum())
    if left_out:
        yield (
            "mase",
            f"{left_out:,} of {rows:,} rows are left out: no seasonal naive error of their series in training",
        )
    yield "intervals", f"from resamples of {series.resampled_by}, since errors near each other are alike"
