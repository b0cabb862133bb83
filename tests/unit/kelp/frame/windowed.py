# SPDX-License-Identifier: Apache-2.0
"""Transforms with windows and the columns of their rows, for the tests of everything that reads earlier rows."""

from typing import Any

import numpy as np

from kelp.frame.parts import Take
from kelp.frame.transform import Column, Feature, RawColumn, RawType, Transform, Window

SECOND = 1_000_000
TAKES: tuple[Take, ...] = ("count", "sum", "mean", "min", "max", "distinct", "since")


def quotes(*windows: Window, **change: Any) -> Transform:
    """Quotes of a price: at a time, for a sku, to a customer whose name is private."""
    columns = (
        RawColumn(name="at", type="timestamp", nullable=True),
        RawColumn(name="sku", type="string", nullable=True),
        RawColumn(name="customer", type="string", nullable=True, private=True),
        RawColumn(name="shelf", type="int", nullable=True, optional=True),
        RawColumn(name="price", type="float", nullable=True, optional=True),
    )
    features = tuple(Feature(name=window.name, column=window.name, kind="number", fill=-1) for window in windows)
    content = {"task": "regression", "classes": (), "columns": columns, "features": features, "windows": windows}
    return Transform.model_validate({"time": "at", **content, **change})


def window(take: Take = "count", *, over: str = "price", by: tuple[str, ...] = ("sku",), **change: Any) -> Window:
    """The last ten seconds without the row's own instant, in units of 1/4."""
    return Window.model_validate(
        {"name": f"{take}_{over}", "by": by, "over": over, "take": take, "start_us": 10 * SECOND, "end_us": 1}
        | {"unit": 0.25}
        | change
    )


def demand(*, horizon_s: int = 10) -> Transform:
    """A forecast of units sold by store and product: the values one and two horizons ago."""
    columns = (
        RawColumn(name="day", type="timestamp", nullable=False),
        RawColumn(name="store", type="int", nullable=False),
        RawColumn(name="product", type="string", nullable=True),
        RawColumn(name="units", type="float", nullable=True, optional=True),
    )
    lags = tuple(
        window("mean", over="units", by=("store", "product"), name=f"lag{lag}", start_us=lag, end_us=lag)
        for lag in (horizon_s * SECOND, 2 * horizon_s * SECOND)
    )
    features = tuple(Feature(name=lag.name, column=lag.name, kind="number", fill=-1) for lag in lags)
    return Transform(task="forecast", classes=(), time="day", columns=columns, windows=lags, features=features)


def columns_of(transform: Transform, rows: list[dict[str, Any]]) -> dict[str, Column]:
    """Rows as raw columns; what a row leaves out is missing."""
    return {
        column.name: np.array(
            [row.get(column.name) for row in rows], dtype=object if _is_text(column.type) else np.float64
        )
        for column in transform.columns
    }


def _is_text(kind: RawType) -> bool:
    return kind in ("string", "category", "text")
