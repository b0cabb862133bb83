# SPDX-License-Identifier: Apache-2.0
"""The price that was paid: what the shop's best clerk would ask for, plus a little noise.

It rises with what was sold and how often was asked in the hour before the quote. Both count the rows of the same sku
in [t - 1h, t), never the quote itself: that is what a rolling feature of kelp sees.
"""

import numpy as np

from examples.pricing.quotes import CAPACITY, SKUS, START, Floats, Ints, Quotes

HOUR = 3600
_NOISE = 0.02  # of the price


def last_hour(quotes: Quotes) -> tuple[Ints, Ints]:
    """Return the units sold and the quotes of the same sku in the hour before each quote, shape (rows,) each."""
    units, count = np.zeros_like(quotes.units), np.zeros_like(quotes.units)
    for sku in range(SKUS):
        rows = np.flatnonzero(quotes.sku == sku)
        seconds = quotes.seconds[rows]
        before = np.searchsorted(seconds, seconds, side="left")
        first = np.searchsorted(seconds, seconds - HOUR, side="left")
        sold = np.concatenate([[0], np.cumsum(quotes.units[rows])])
        units[rows], count[rows] = sold[before] - sold[first], before - first
    return units, count


def base_prices(seed: int) -> Floats:
    """Return the list price of each sku, shape (SKUS,)."""
    logs: Floats = np.random.default_rng([seed, 2]).uniform(3.2, 4.8, size=SKUS)
    prices: Floats = np.rint(np.exp(logs))
    return prices


def competitor_prices(quotes: Quotes, seed: int) -> Floats:
    """Return what the competitor asks at each quote: its own list price, changed a little every few hours."""
    rng = np.random.default_rng([seed, 3])
    level = 1 + 0.08 * rng.standard_normal(SKUS)
    swing = 0.04 * np.sin(quotes.seconds / 13_000 + quotes.sku)
    prices: Floats = np.round(base_prices(seed)[quotes.sku] * (level[quotes.sku] + swing), 2)
    return prices


def weekday(quotes: Quotes) -> Ints:
    """Return the day of the week, Monday is 0."""
    days = (START + quotes.seconds.astype("timedelta64[s]")).astype("datetime64[D]").astype(np.int64)
    found: Ints = (days + 3) % 7  # 1970-01-01 was a Thursday
    return found


def draw_prices(quotes: Quotes, seed: int) -> Floats:
    """Return the price paid at each quote, > 0, two decimals."""
    units, count = last_hour(quotes)
    base = base_prices(seed)[quotes.sku]
    pull = 0.5 * (competitor_prices(quotes, seed) / base - 1)
    rush = 0.3 * np.tanh(units / 20) + 0.12 * np.tanh(count / 10)
    scarcity = 0.2 * (1 - quotes.stock / CAPACITY) ** 2
    weekend = 0.06 * (weekday(quotes) >= 4)
    noise = _NOISE * np.random.default_rng([seed, 4]).standard_normal(base.size)
    prices: Floats = np.maximum(np.round(base * (0.9 + pull + rush + scarcity + weekend + noise), 2), 0.01)
    return prices
