# SPDX-License-Identifier: Apache-2.0
"""Put the quotes into the table the shop would export, and one sku's story into a request."""

from typing import Any

import numpy as np
import pyarrow as pa

from examples.pricing.price import base_prices, competitor_prices, draw_prices, weekday
from examples.pricing.quotes import START, draw_quotes

SCHEMA = pa.schema(
    [
        ("quote_id", pa.string()),
        ("quote_time", pa.timestamp("us", tz="UTC")),
        ("sku", pa.string()),
        ("stock", pa.int64()),
        ("units", pa.int64()),
        ("base_price", pa.float64()),
        ("competitor_price", pa.float64()),
        ("weekday", pa.int64()),
        ("price_paid", pa.float64()),
    ]
)


def make_quotes(rows: int, days: int, seed: int) -> pa.Table:
    """Return the export, `SCHEMA`, in order of time.

    Args:
        rows: about how many quotes, >= 1.
        days: length from 2026-03-02, >= 1.
        seed: >= 0; the same arguments give the same table.
    """
    quotes = draw_quotes(rows, days, seed)
    columns: dict[str, np.ndarray] = {
        "quote_id": np.array([f"quote-{row:08}" for row in range(1, quotes.sku.size + 1)]),
        "quote_time": (START + quotes.seconds.astype("timedelta64[s]")).astype("datetime64[us]"),
        "sku": np.array([f"ticket-{sku:03}" for sku in quotes.sku]),
        "stock": quotes.stock,
        "units": quotes.units,
        "base_price": base_prices(seed)[quotes.sku],
        "competitor_price": competitor_prices(quotes, seed),
        "weekday": weekday(quotes),
        "price_paid": draw_prices(quotes, seed),
    }
    return pa.Table.from_arrays([pa.array(columns[f.name], type=f.type) for f in SCHEMA], schema=SCHEMA)


def rush(seed: int) -> list[dict[str, Any]]:
    """Return a story of 12 quotes for one sku: a quiet one, ten that sell a lot, and the first once more."""
    base = float(base_prices(seed)[11])
    fixed = {"sku": "ticket-011", "base_price": base, "competitor_price": base, "weekday": 2}
    quiet = {"stock": 2000, "units": 1}
    story = [{"quote_time": "2026-04-08T12:00:00Z", **fixed, **quiet}]
    for seconds in range(5, 55, 5):
        story.append({"quote_time": f"2026-04-08T12:00:{seconds:02}Z", **fixed, "stock": 2000, "units": 6})
    return [*story, {"quote_time": "2026-04-08T12:01:00Z", **fixed, **quiet}]
