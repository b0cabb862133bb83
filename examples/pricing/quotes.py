# SPDX-License-Identifier: Apache-2.0
"""Draw quotes in order of time: when, for what, what was sold since the one before, and the stock that is left.

Every ticket (sku) has calm hours and rushes, so that what the last hour sold says more than the sku alone.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

START = np.datetime64("2026-03-02T00:00:00", "s")  # a Monday
SKUS = 60
CAPACITY = 3000  # tickets on sale when the export begins, and after each restocking
_RUSHES_A_DAY = 2.0
_MEDIAN_RUSH_S = 3600.0
_RUSH_SHARE = 0.6  # of all quotes


@dataclass(frozen=True, slots=True)
class Quotes:
    """Quotes in order of time and sku; every array has shape (rows,).

    Attributes:
        seconds: since `START`; no sku has two quotes in one second.
        sku: from 0.
        units: sold of the sku since its previous quote, >= 0.
        stock: tickets of the sku left when the quote was asked for, >= 0.
    """

    seconds: Ints
    sku: Ints
    units: Ints
    stock: Ints


def draw_quotes(rows: int, days: int, seed: int) -> Quotes:
    """Draw quotes.

    Args:
        rows: how many are asked for; a few fewer come back, for no sku has two in one second.
        days: length of the export, >= 1.
        seed: >= 0; the same arguments give the same quotes.
    """
    rng = np.random.default_rng([seed, 1])
    sku = np.sort(rng.choice(SKUS, size=rows, p=_popularity()))
    seconds = np.concatenate([_times(int(count), days, rng) for count in np.bincount(sku, minlength=SKUS)])
    moments = np.unique(sku * days * 86_400 + seconds)
    sku, seconds = np.divmod(moments, days * 86_400)
    units = _units(sku, seconds, rng)
    stock = np.concatenate([_stock(units[sku == each]) for each in range(SKUS)])
    order = np.lexsort((sku, seconds))
    return Quotes(seconds[order], sku[order], units[order], stock[order])


def _popularity() -> Floats:
    weights = 1 / np.sqrt(np.arange(1, SKUS + 1))
    shares: Floats = weights / weights.sum()
    return shares


def _times(count: int, days: int, rng: np.random.Generator) -> Ints:
    """Moments of one sku's quotes: part of them spread evenly, part crowded into rushes."""
    length = days * 86_400
    in_rush = rng.random(count) < _RUSH_SHARE
    starts = rng.uniform(0, length, size=max(1, round(days * _RUSHES_A_DAY)))
    spans = _MEDIAN_RUSH_S * np.exp(0.6 * rng.standard_normal(starts.size))
    rush = rng.integers(starts.size, size=count)
    seconds = np.where(in_rush, starts[rush] + spans[rush] * rng.random(count), rng.uniform(0, length, size=count))
    return np.floor(seconds).astype(np.int64) % length


def _units(sku: Ints, seconds: Ints, rng: np.random.Generator) -> Ints:
    """More is sold where quotes follow each other closely, and by luck; seconds rise within a sku."""
    since = np.diff(seconds, prepend=0)
    since[np.diff(sku, prepend=-1) != 0] = 3600
    units: Ints = rng.poisson(rng.gamma(0.8, 2.0, size=sku.size) * np.where(since < 1800, 1.5, 0.5))
    return units


def _stock(units: Ints) -> Ints:
    """Tickets of one sku left after each quote; sold out means restocked."""
    left: Ints = CAPACITY - 1 - np.cumsum(units) % CAPACITY
    return left
