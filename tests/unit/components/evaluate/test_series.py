# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pyarrow as pa
import pytest

from components.evaluate.series import OVERLAP, blocks_of, training_means
from components.evaluate.truth import Units

DAY_US = 86_400_000_000


def days(series: int, steps: int) -> tuple[Units, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    return Units(np.repeat(np.arange(series), steps), series), np.tile(np.arange(steps) * DAY_US, series)


def test_eight_series_are_resampled_whole() -> None:
    series, time_us = days(8, 30)
    assert blocks_of(series, time_us, DAY_US, 7 * DAY_US) == (series, "whole series, 8 of them")


def test_fewer_series_are_resampled_in_stretches_of_one_horizon() -> None:
    found, words = blocks_of(*days(3, 30), DAY_US, 7 * DAY_US)
    assert (found.count, found.overlap, words) == (4, OVERLAP, "stretches of 7 steps of time, 4 of them")
    # All series share a stretch, and what is left over at the end joins the last one.
    assert np.bincount(found.of_row).tolist() == [21, 21, 21, 27]


def test_stretches_of_a_short_horizon_are_as_long_as_the_cube_root_of_the_steps() -> None:
    assert blocks_of(*days(1, 125), DAY_US, DAY_US)[0].count == 25


def test_a_gap_in_time_leaves_no_stretch_without_rows() -> None:
    series, time_us = days(1, 30)
    kept = (time_us < 10 * DAY_US) | (time_us >= 20 * DAY_US)
    found, _ = blocks_of(Units(series.of_row[kept], 1), time_us[kept], DAY_US, 7 * DAY_US)
    assert sorted(set(found.of_row.tolist())) == list(range(found.count))


def test_a_series_without_a_past_gets_the_mean_of_all() -> None:
    train = pa.table({"__series": ["a", "a", "b"], "__target": [1.0, 3.0, 8.0]})
    assert training_means(train, ("b", "new", "a")).tolist() == pytest.approx([8.0, 4.0, 2.0])
