# SPDX-License-Identifier: Apache-2.0
"""What was sold in the last hour makes the price: trees that know it are far better, and move after a rush."""

from typing import Any

import numpy as np
import pandas as pd  # ships no types
import pytest
import xgboost

from examples.pricing.table import make_quotes, rush

RAW = ["stock", "units", "base_price", "competitor_price", "weekday"]
ROLLING = ["units_1h", "quotes_1h", "since_quote"]


def with_windows(quotes: pd.DataFrame) -> pd.DataFrame:
    """Add the three features of models/pricing.yaml, for quotes of which no sku has two at once."""
    found = quotes.sort_values(["sku", "quote_time"])
    windows = found.set_index("quote_time").groupby("sku").units.rolling("1h", closed="left")
    found["units_1h"] = windows.sum().fillna(0).to_numpy()
    found["quotes_1h"] = windows.count().fillna(0).to_numpy()
    since = found.groupby("sku").quote_time.diff().dt.total_seconds()
    found["since_quote"] = since.where(since <= 86_400)
    return found.sort_values("quote_time")


@pytest.fixture(scope="module")
def quotes() -> pd.DataFrame:
    return with_windows(make_quotes(50_000, 35, 7).to_pandas())


def fitted(rows: pd.DataFrame, names: list[str]) -> Any:
    model = xgboost.XGBRegressor(n_estimators=100, max_depth=6, learning_rate=0.1, n_jobs=1)
    return model.fit(rows[names], rows.price_paid)


def error(quotes: pd.DataFrame, names: list[str]) -> float:
    """Mean absolute error on the newest fifth of the quotes."""
    boundary = int(len(quotes) * 0.8)
    test = quotes[boundary:]
    return float(np.abs(fitted(quotes[:boundary], names).predict(test[names]) - test.price_paid).mean())


def test_rolling_features_take_away_most_of_the_error(quotes: pd.DataFrame) -> None:
    dummy = float(np.abs(quotes.price_paid - quotes.price_paid.median()).mean())
    without, with_rolling = error(quotes, RAW), error(quotes, [*RAW, *ROLLING])
    assert without < 0.5 * dummy
    assert with_rolling < 0.4 * without
    assert with_rolling < 2


def test_the_same_quote_costs_more_after_a_rush(quotes: pd.DataFrame) -> None:
    story = pd.DataFrame(rush(7))
    story["quote_time"] = pd.to_datetime(story.quote_time)
    asked = with_windows(story)
    answers = fitted(quotes, [*RAW, *ROLLING]).predict(asked[[*RAW, *ROLLING]])
    assert answers[-1] > 1.15 * answers[0]
