# SPDX-License-Identifier: Apache-2.0
"""Rows for the trainer `torch`, epoch by epoch: from memory if they are few, else from the file. No torch here.

Blocks of rows are put together in one thread ahead of the fit. Their order follows from the seed alone.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kelp.errors import DataError
from kelp.frame.transform import Matrix
from kelp.trainer import Rows, Target

SMALL_BYTES = 256 * 2**20  # rows of up to this size are kept in memory
_BLOCK_BYTES = 8 * 2**20
_BLOCK_ROWS = 65_536

Block = tuple[Matrix, Target]
Floats = NDArray[np.float64]


@dataclass(slots=True)
class Moments:
    """Mean, deviation, least and greatest value of each column, over blocks of rows.

    Blocks are merged as in Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    variances" (1979): exact up to rounding in float64, also far from 0.
    """

    count: int = 0
    mean: Floats = field(default_factory=lambda: np.zeros(0))
    squares: Floats = field(default_factory=lambda: np.zeros(0))
    least: Floats = field(default_factory=lambda: np.zeros(0))
    greatest: Floats = field(default_factory=lambda: np.zeros(0))

    def add(self, values: NDArray[np.floating]) -> None:
        """Take in a block of shape (n, columns), n >= 1."""
        exact = values.astype(np.float64)
        mean = exact.mean(axis=0)
        squares = np.square(exact - mean).sum(axis=0)
        least, greatest = exact.min(axis=0), exact.max(axis=0)
        if not self.count:
            self.count, self.mean, self.squares = len(exact), mean, squares
            self.least, self.greatest = least, greatest
            return
        count, shift = self.count + len(exact), mean - self.mean
        self.squares = self.squares + squares + np.square(shift) * (self.count * len(exact) / count)
        self.mean = self.mean + shift * (len(exact) / count)
        self.least, self.greatest = np.minimum(self.least, least), np.maximum(self.greatest, greatest)
        self.count = count

    @property
    def deviation(self) -> Floats:
        """The standard deviation; exactly 0 of a column with one value only."""
        found: Floats = np.where(self.least == self.greatest, 0.0, np.sqrt(self.squares / max(self.count, 1)))
        return found


@dataclass(frozen=True, slots=True)
class Source:
    """Rows that can be gone through again and again.

    Attributes:
        rows: in their file.
        count: how many there are.
        kept: all of them, if they are small.
        limit: bytes of rows that may be held in memory.
    """

    rows: Rows
    count: int
    kept: Block | None
    limit: int = SMALL_BYTES

    @property
    def block_rows(self) -> int:
        """How many rows are handed on together."""
        return _block_rows(self.rows)

    def in_order(self) -> Iterator[Block]:
        """All rows as they stand in the file."""
        if self.kept is None:
            yield from self.rows.batches(self.block_rows)
            return
        matrix, target = self.kept
        for start in range(0, self.count, self.block_rows):
            chosen = slice(start, start + self.block_rows)
            yield matrix[chosen], target[chosen]

    def sample(self, size: int) -> Block:
        """At most `size` rows, evenly spread over the file."""
        step, start = -(-self.count // size), 0
        found: list[Block] = []
        for matrix, target in self.in_order():
            first = -start % step
            found.append((matrix[first::step], target[first::step]))
            start += len(matrix)
        return np.concatenate([block[0] for block in found]), np.concatenate([block[1] for block in found])

    def shuffled(self, rng: np.random.Generator) -> Iterator[Block]:
        """All rows once, in an order that `rng` decides; a row of a large file moves only about a buffer's length."""
        if self.kept is None:
            buffer = max(self.block_rows, self.limit // 2 // _row_bytes(self.rows))
            yield from mixed(self.in_order(), buffer, rng)
            return
        matrix, target = self.kept
        order = rng.permutation(self.count)
        for start in range(0, self.count, self.block_rows):
            chosen = order[start : start + self.block_rows]
            yield matrix[chosen], target[chosen]


def open_source(rows: Rows, see: Callable[[Matrix, Target], None] | None = None, limit: int = SMALL_BYTES) -> Source:
    """Read the rows once, keep them if they are small, and show each block to `see`.

    Raises:
        DataError: there are none.
    """
    count = rows.count()
    if not count:
        raise DataError("expected rows to learn from, found none", place=rows.path.name, fix="give more data")
    kept = None
    if count * _row_bytes(rows) <= limit:
        kept = np.empty((count, len(rows.features)), dtype=np.float32), np.empty(count)
    elif see is None:
        return Source(rows, count, None, limit)
    start = 0
    for matrix, target in rows.batches(_block_rows(rows)):
        if see is not None:
            see(matrix, target)
        if kept is not None:
            kept[0][start : start + len(matrix)], kept[1][start : start + len(matrix)] = matrix, target
        start += len(matrix)
    return Source(rows, count, kept, limit)


def mixed(blocks: Iterator[Block], size: int, rng: np.random.Generator) -> Iterator[Block]:
    """Shuffle through a buffer of `size` rows: each new row takes the place of a random one, which is handed on."""
    matrix, target, filled = np.empty((0, 0), dtype=np.float32), np.empty(0), 0
    for new, new_target in blocks:
        if not len(target):
            matrix, target = np.empty((size, new.shape[1]), dtype=np.float32), np.empty(size)
        room = min(size - filled, len(new))
        matrix[filled : filled + room], target[filled : filled + room] = new[:room], new_target[:room]
        filled += room
        for start in range(room, len(new), size):
            rest, rest_target = new[start : start + size], new_target[start : start + size]
            places = rng.choice(size, len(rest), replace=False)
            yield matrix[places], target[places]
            matrix[places], target[places] = rest, rest_target
    order = rng.permutation(filled)
    for start in range(0, filled, _BLOCK_ROWS):
        chosen = order[start : start + _BLOCK_ROWS]
        yield matrix[chosen], target[chosen]


def ahead(blocks: Iterator[Block]) -> Iterator[Block]:
    """The same blocks; while one is worked on, a thread makes the next."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(next, blocks, None)
        while (block := future.result()) is not None:
            future = pool.submit(next, blocks, None)
            yield block


def _row_bytes(rows: Rows) -> int:
    return 4 * len(rows.features)


def _block_rows(rows: Rows) -> int:
    return min(_BLOCK_ROWS, max(1, _BLOCK_BYTES // _row_bytes(rows)))
