# SPDX-License-Identifier: Apache-2.0
"""Shapley values of a model that can only be asked: estimated from random orders, with their error. Pure numbers.

What a feature contributes to f(x) is what f changes by when the feature takes its value of x instead of a reference
row's, averaged over the orders in which features can do so and over the reference rows: interventional Shapley values
(Štrumbelj and Kononenko 2014, doi:10.1007/s10115-013-0679-x, algorithm 1). Each random order is also walked backwards
with the same reference row, which makes the error smaller (Mitchell et al. 2022, arXiv:2104.12199, section 4.1).
Along one order the changes add up to f(x) - f(reference row), so the estimates do too: only how the sum is divided
among the features is uncertain.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kelp.frame.compute import Matrix

Floats = NDArray[np.float64]
Score = Callable[[Matrix], Floats]
"""From a matrix of shape (n, width) to n numbers."""

_ROWS_AT_ONCE = 8_192


@dataclass(frozen=True, slots=True)
class Estimate:
    """Contributions to one row's score.

    `base` is the mean score of the reference rows that were drawn. `draws`, of shape (pairs, width), has the
    contributions from each of them: their mean over the pairs is the estimate, their spread its error.
    """

    base: float
    draws: Floats


def standard_error(draws: Floats) -> Floats:
    """Of the mean over the first axis, which has two or more entries."""
    return np.asarray(draws.std(axis=0, ddof=1) / np.sqrt(len(draws)), dtype=np.float64)


def estimate(score: Score, row: Matrix, reference: Matrix, *, pairs: int, seed: int) -> Estimate:
    """Estimate what each feature of a row contributes to its score.

    Args:
        score: the model.
        row: float32, shape (width,).
        reference: float32, shape (n, width), n >= 1; each pair of orders draws one of its rows.
        pairs: of orders, >= 2; the error falls with its square root, the time is at most `2 * pairs * width` scores.
        seed: equal seeds give equal answers.
    """
    rng = np.random.default_rng(seed)
    drawn = reference[_draw(rng, len(reference), pairs)]
    orders = rng.permuted(np.tile(np.arange(len(row)), (pairs, 1)), axis=1)
    whole = float(score(row[None, :])[0])
    start = score(drawn)
    forwards = _changes(score, row, drawn, orders, start, whole)
    backwards = _changes(score, row, drawn, orders[:, ::-1], start, whole)
    return Estimate(float(start.mean()), (forwards + backwards) / 2)


def _draw(rng: np.random.Generator, rows: int, pairs: int) -> NDArray[np.int64]:
    """Positions of reference rows; none stands twice more often than another, so few rows are all used."""
    rounds = -(-pairs // rows)
    return np.concatenate([rng.permutation(rows) for _ in range(rounds)])[:pairs]


def _changes(
    score: Score, row: Matrix, drawn: Matrix, orders: NDArray[np.int64], start: Floats, whole: float
) -> Floats:
    """What each feature changes along each order, by feature: shape (pairs, width)."""
    pairs, width = orders.shape
    changes = np.empty((pairs, width), dtype=np.float64)
    at_once = max(1, _ROWS_AT_ONCE // width)
    for first in range(0, pairs, at_once):
        part = slice(first, first + at_once)
        along = _along(score, row, drawn[part], orders[part], start[part])
        along[:, -1] = whole
        np.put_along_axis(changes[part], orders[part], np.diff(along, axis=1), axis=1)
    return changes


def _along(score: Score, row: Matrix, drawn: Matrix, orders: NDArray[np.int64], start: Floats) -> Floats:
    """The score at the start of each order and after each of its steps: shape (pairs, width + 1).

    A step to the value that is there already changes nothing, and the model is not asked.
    """
    pairs, width = orders.shape
    rank = np.argsort(orders, axis=1)  # when each feature takes the value of the row
    steps = np.take_along_axis(drawn != row, orders, axis=1)
    pair, step = np.nonzero(steps)
    along = np.empty((pairs, width + 1), dtype=np.float64)
    along[:, 0] = start
    if len(pair):
        mixed = np.where(rank[pair] <= step[:, None], row, drawn[pair])
        along[pair, step + 1] = score(mixed)
    last_asked = np.maximum.accumulate(np.where(steps, np.arange(1, width + 1), 0), axis=1)
    along[:, 1:] = np.take_along_axis(along, last_asked, axis=1)
    return along
