# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.train.network_rows import Block, Moments, ahead, mixed, open_source
from kelp.errors import DataError
from kelp.trainer import Rows
from tests.unit.components.train.networks import a_training, plain

NUMBERS = st.floats(-(2.0**100), 2.0**100, width=32)


def rows_of(folder: Path, count: int) -> Rows:
    matrix = np.arange(count, dtype=np.float32)[:, np.newaxis]
    return a_training(folder, plain(1), matrix, np.arange(count, dtype=np.float64)).rows


def blocks_of(*lengths: int) -> Iterator[Block]:
    start = 0
    for length in lengths:
        numbers = np.arange(start, start + length)
        yield numbers[:, np.newaxis].astype(np.float32), numbers.astype(np.float64)
        start += length


@given(st.lists(st.lists(NUMBERS, min_size=1, max_size=5), min_size=1, max_size=5))
def test_moments_do_not_depend_on_the_blocks(blocks: list[list[float]]) -> None:
    whole = np.array([number for block in blocks for number in block], dtype=np.float32)
    moments = Moments()
    for block in blocks:
        moments.add(np.array(block, dtype=np.float32)[:, np.newaxis])
    scale = float(np.abs(whole).max()) or 1.0
    assert moments.count == len(whole)
    assert moments.mean[0] == pytest.approx(whole.astype(np.float64).mean(), abs=1e-12 * scale)
    assert moments.deviation[0] == pytest.approx(whole.astype(np.float64).std(), abs=1e-6 * scale)
    assert (moments.least[0], moments.greatest[0]) == (whole.min(), whole.max())


def test_moments_are_exact_far_from_0() -> None:
    moments = Moments()
    for start in range(0, 1000, 100):
        moments.add(np.arange(start, start + 100, dtype=np.float64)[:, np.newaxis] + 1e12)
    assert moments.mean[0] == 1e12 + 499.5
    assert moments.deviation[0] == pytest.approx(np.arange(1000).std(), rel=1e-12)


@given(st.floats(-(2.0**100), 2.0**100, width=32), st.integers(1, 50))
def test_a_constant_deviates_by_exactly_0(value: float, count: int) -> None:
    moments = Moments()
    for _ in range(3):
        moments.add(np.full((count, 1), value, dtype=np.float32))
    assert moments.deviation[0] == 0


@pytest.mark.parametrize("limit", [pytest.param(0, id="streamed"), pytest.param(10**6, id="in-memory")])
def test_an_epoch_has_every_row_once_in_an_order_of_the_seed(tmp_path: Path, limit: int) -> None:
    source = open_source(rows_of(tmp_path, 2000), limit=limit)
    assert (source.kept is None) == (limit == 0)

    def epoch(seed: int) -> list[float]:
        found: list[float] = []
        for matrix, target in source.shuffled(np.random.default_rng(seed)):
            assert (matrix[:, 0] == target).all()
            found += target.tolist()
        return found

    assert sorted(epoch(1)) == list(range(2000))
    assert epoch(1) == epoch(1)
    assert epoch(1) != epoch(2) != sorted(epoch(2))


def test_small_and_large_rows_are_the_same_rows(tmp_path: Path) -> None:
    rows = replace(rows_of(tmp_path, 500), kept_back=False)
    small, large = open_source(rows), open_source(rows, limit=0)
    for source in (small, large):
        assert np.concatenate([target for _, target in source.in_order()]).tolist() == [
            row for row in range(500) if row % 10 != 9
        ]
    assert small.sample(10)[1].tolist() == large.sample(10)[1].tolist()
    assert len(small.sample(1000)[1]) == 450


@pytest.mark.parametrize("limit", [0, 10**6], ids=str)
def test_the_first_pass_shows_every_row(tmp_path: Path, limit: int) -> None:
    seen: list[float] = []
    open_source(rows_of(tmp_path, 300), lambda matrix, target: seen.extend(target), limit)
    assert seen == list(range(300))


def test_no_rows_are_refused(tmp_path: Path) -> None:
    rows = replace(rows_of(tmp_path, 5), kept_back=True)  # every tenth is kept back
    with pytest.raises(DataError, match="expected rows to learn from, found none"):
        open_source(rows)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(1, 30), st.integers(0, 9))
def test_a_buffer_hands_on_every_row_once(lengths: list[int], size: int, seed: int) -> None:
    found = [block for block in mixed(blocks_of(*lengths), size, np.random.default_rng(seed))]
    assert sorted(row for _, target in found for row in target) == list(range(sum(lengths)))
    assert all((matrix[:, 0] == target).all() for matrix, target in found)


def test_a_buffer_mixes_beyond_the_block() -> None:
    found = [target for _, target in mixed(blocks_of(*[100] * 20), 500, np.random.default_rng(1))]
    assert np.ptp(found[0]) > 300
    assert found[-1].min() < 1000 < found[-1].max()


def test_blocks_made_ahead_are_the_same_blocks() -> None:
    found = [target.tolist() for _, target in ahead(blocks_of(3, 1, 2))]
    assert found == [[0, 1, 2], [3], [4, 5]]


def test_an_error_in_the_thread_reaches_the_fit() -> None:
    def broken() -> Iterator[Block]:
        yield from blocks_of(1)
        raise DataError("the file is broken")

    blocks = ahead(broken())
    next(blocks)
    with pytest.raises(DataError, match="the file is broken"):
        next(blocks)
