# SPDX-License-Identifier: Apache-2.0
"""Draw what the shops sell each day: seasons, trend, promotions, prices, holidays, empty shelves and holes.

Arrays have the shape (shops, products, days). The plan (promotion, price, holiday) is drawn for the days after the
export too: it is known ahead, which is what a request for a forecast says.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from examples.demand.shops import CAMPUS_WEEK, HOLIDAYS, PRODUCTS, SHOPS, WEEK

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

START = np.datetime64("2024-01-01", "D")  # a Monday
HORIZON = 14


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known ahead, for `days` and the `HORIZON` days after them."""

    day: npt.NDArray[np.datetime64]  # shape (days,)
    promotion: Bools
    price: Floats
    is_holiday: Bools  # shape (days,)


@dataclass(frozen=True, slots=True)
class Sales:
    """What happened; `units` is 0 where the shelf was empty, whatever the demand was."""

    units: Ints
    stockout: Bools


def draw_plan(days: int, seed: int) -> Plan:
    """Draw promotions of three to seven days, each of which lowers the price by a fifth.

    Args:
        days: >= 1; the plan is `HORIZON` days longer.
        seed: >= 0.
    """
    rng = np.random.default_rng([seed, 1])
    shape = (days + HORIZON, len(SHOPS), len(PRODUCTS))
    starts = rng.random(shape) < 0.015
    lengths = rng.integers(3, 8, size=shape)
    promotion = np.zeros(shape, dtype=bool)
    for day, shop, product in zip(*np.nonzero(starts), strict=True):
        promotion[day : day + lengths[day, shop, product], shop, product] = True
    price = np.array([product.price for product in PRODUCTS]) * (1 + 0.02 * (np.arange(shape[0]) // 182))[:, None]
    price = np.round(np.where(promotion, 0.8, 1.0) * price[:, None, :], 2)
    day_of = START + np.arange(shape[0]).astype("timedelta64[D]")
    is_holiday = np.isin([str(day)[5:] for day in day_of], HOLIDAYS)
    return Plan(day_of, promotion.transpose(1, 2, 0), price.transpose(1, 2, 0), is_holiday)


def draw_sales(plan: Plan, days: int, seed: int) -> Sales:
    """Draw the units of the first `days` of the plan: gamma-Poisson around the expected demand."""
    rng = np.random.default_rng([seed, 2])
    expected = demand(plan)[:, :, :days]
    units = rng.poisson(expected * rng.gamma(20.0, 1 / 20.0, size=expected.shape))
    stockout = _empty_shelves(plan.promotion[:, :, :days], rng)
    return Sales(np.where(stockout, 0, units), stockout)


def demand(plan: Plan) -> Floats:
    """The units a day that would be sold on average if the shelves were never empty."""
    index = np.arange(plan.day.size)
    weekday = index % 7
    week = np.array([CAMPUS_WEEK if shop == "campus" else WEEK for shop in SHOPS])[:, weekday]
    summer = -np.cos(2 * np.pi * (index - 15) / 365.25)
    expected = np.array(list(SHOPS.values()))[:, None, None] * week[:, None, :]
    log_demand = np.stack([p.summer * summer + p.trend * index / 365.25 for p in PRODUCTS])
    expected = expected * np.array([p.daily_units for p in PRODUCTS])[:, None] * np.exp(log_demand)
    lift = np.where(plan.promotion, 1.0 + np.linspace(0.4, 1.2, len(PRODUCTS))[:, None], 1.0)
    found: Floats = expected * lift * np.where(plan.is_holiday, 0.5, 1.0)
    return found


def _empty_shelves(promotion: Bools, rng: np.random.Generator) -> Bools:
    """Shelves are empty for one to three days, four times as often while a promotion runs."""
    starts = rng.random(promotion.shape) < np.where(promotion, 0.02, 0.005)
    lengths = rng.integers(1, 4, size=promotion.shape)
    stockout = starts.copy()
    for later in (1, 2):
        stockout[:, :, later:] |= (starts & (lengths > later))[:, :, :-later]
    return stockout
