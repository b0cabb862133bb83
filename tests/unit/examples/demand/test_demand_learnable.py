# SPDX-License-Identifier: Apache-2.0
"""Trees on lags, the calendar and the plan forecast two weeks ahead better than repeating the same weekday."""

import numpy as np
import pandas as pd  # ships no types
import pytest
import xgboost

from examples.demand.table import make_sales

PLAN = ["promotion", "price", "is_holiday"]
LAGS = [14, 21, 28]  # nothing younger than the horizon
PAST = ["lag_14", "lag_21", "lag_28", "median_28"]
CALENDAR = ["weekday", "day_of_year"]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    sales = make_sales(730, 7).to_pandas()
    sales["date"] = pd.to_datetime(sales.date)
    sales["key"] = sales.store + "/" + sales["product"]
    wide = sales.pivot_table(index="date", columns="key", values="units").asfreq("D")
    lagged = {f"lag_{days}": wide.shift(days) for days in LAGS}
    lagged["median_28"] = wide.shift(14).rolling(28, min_periods=7).median()
    indexed = sales.set_index(["date", "key"])
    for name, values in lagged.items():
        indexed[name] = values.stack().reindex(indexed.index)
    found = indexed.reset_index()
    found["weekday"], found["day_of_year"] = found.date.dt.weekday, found.date.dt.dayofyear
    return found


def mase(rows: pd.DataFrame, names: list[str]) -> float:
    """Mean absolute error on the newest fifth of the days, as a share of that of the value two weeks before."""
    is_test = rows.date >= rows.date.quantile(0.8)
    features = rows[names].astype(float)
    model = xgboost.XGBRegressor(n_estimators=100, max_depth=6, learning_rate=0.1, n_jobs=1)
    model.fit(features[~is_test], rows.units[~is_test])
    judged = rows[is_test & rows.lag_14.notna()]
    error = np.abs(model.predict(judged[names].astype(float)) - judged.units).mean()
    return float(error / np.abs(judged.lag_14 - judged.units).mean())


def test_trees_beat_the_seasonal_naive_and_the_plan_helps(rows: pd.DataFrame) -> None:
    with_plan, without = mase(rows, [*PAST, *PLAN, *CALENDAR]), mase(rows, [*PAST, *CALENDAR])
    assert with_plan < 0.75
    assert with_plan < without - 0.03
