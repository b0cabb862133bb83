# SPDX-License-Identifier: Apache-2.0
"""Put the sales into the table the chain would export, and the plan into the request for the days after it."""

from typing import Any

import numpy as np
import pyarrow as pa

from examples.demand.sales import HORIZON, START, Bools, draw_plan, draw_sales
from examples.demand.shops import CLOSED_DAYS, CLOSED_FROM, CLOSED_SHOP, NEW_DAYS, NEW_PRODUCT, PRODUCTS, SHOPS

_NAMES = [product.name for product in PRODUCTS]
_LOST = 0.004  # share of days whose report never arrived


def make_sales(days: int, seed: int) -> pa.Table:
    """Return the export in order of day, shop and product.

    Args:
        days: length, >= 1; the new product is sold on the last `NEW_DAYS` of them.
        seed: >= 0; the same arguments give the same table.
    """
    plan = draw_plan(days, seed)
    sales = draw_sales(plan, days, seed)
    shop, product, day = np.indices(sales.units.shape)
    columns = {
        "date": (START + day.astype("timedelta64[D]")).astype(np.str_),
        "store": np.array(list(SHOPS))[shop],
        "product": np.array(_NAMES)[product],
        "units": sales.units,
        "promotion": plan.promotion[:, :, :days],
        "price": plan.price[:, :, :days],
        "is_holiday": np.broadcast_to(plan.is_holiday[:days], sales.units.shape),
        "stockout": sales.stockout,
    }
    kept = _is_reported(sales.units.shape, seed).transpose(2, 0, 1)
    return pa.table({name: column.transpose(2, 0, 1)[kept] for name, column in columns.items()})


def _is_reported(shape: tuple[int, ...], seed: int) -> Bools:
    """Whether a day is in the export: not before a product's launch, in a shut shop, or where the report was lost."""
    reported: Bools = np.random.default_rng([seed, 3]).random(shape) >= _LOST
    reported[:, _NAMES.index(NEW_PRODUCT), : max(0, shape[2] - NEW_DAYS)] = False
    reported[list(SHOPS).index(CLOSED_SHOP), :, CLOSED_FROM : CLOSED_FROM + CLOSED_DAYS] = False
    return reported


def next_days(days: int, seed: int, series: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return the request for the `HORIZON` days after an export: who, when and what is known ahead, without units."""
    plan = draw_plan(days, seed)
    rows = []
    for shop, product in series:
        at = list(SHOPS).index(shop), _NAMES.index(product)
        for day in range(days, days + HORIZON):
            rows.append(
                {
                    "date": f"{plan.day[day]}T00:00:00Z",
                    "store": shop,
                    "product": product,
                    "promotion": bool(plan.promotion[at][day]),
                    "price": float(plan.price[at][day]),
                    "is_holiday": bool(plan.is_holiday[day]),
                }
            )
    return rows
