# SPDX-License-Identifier: Apache-2.0
"""Forecasts: lags from the horizon on, the naive forecast and its error, and series that are not whole."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from kelp.errors import DataError, InputError
from kelp.frame.history import History
from kelp.frame.instances import instances_from_table
from kelp.frame.rows import columns_from_instances
from kelp.spec import Model
from tests.unit.components.ingest.factories import Bench, a_model
from tests.unit.components.prepare.snapshots import Columns, prepared_of

START = datetime(2024, 1, 1)
DAYS = 60
SERIES = {"key": ["store", "sku"], "frequency": "1d", "horizon": "10d", "knownAhead": ["promotion"]}


def a_forecast(series: dict[str, Any] | None = None, **data: Any) -> Model:
    return a_model(task="forecast", target="sold", time="at", series={**SERIES, **(series or {})}, **data)


def sales(days: int = DAYS, **columns: tuple[str, Sequence[Any]]) -> Columns:
    """Two series of one store; 0.7 a day more each day, and 5 more on weekends."""
    rows = [(day, sku) for day in range(days) for sku in ("tea", "jam")]
    return {
        "at": ("timestamp", [START + timedelta(days=day) for day, _ in rows]),
        "store": ("int", [7] * len(rows)),
        "sku": ("category", [sku for _, sku in rows]),
        "promotion": ("bool", [day % 10 == 0 for day, _ in rows]),
        "note": ("float", [1.0] * len(rows)),
        "sold": ("float", [day * 0.5 + 5 * (day % 7 > 4) + 100 * (sku == "tea") for day, sku in rows]),
        **columns,
    }


def test_the_features_of_a_forecast(bench: Bench) -> None:
    prepared = prepared_of(bench, a_forecast(), sales())
    lags = [f"sold.lag_{lag}" for lag in (10, 11, 12, 13, 14, 15, 16, 21, 28)]
    means = ["sold.mean_7", "sold.mean_28"]
    parts = ["at.weekday", "at.day", "at.month"]
    assert prepared.summary["features"] == [*parts, "store", "sku", "promotion", *lags, *means]
    assert prepared.summary["series"] == {"frequencySeconds": 86400, "horizonSteps": 10, "seasonSteps": 7, "count": 2}
    assert prepared.feature("store").categories == ("7",)
    target = next(column for column in prepared.transform.columns if column.name == "sold")
    assert (target.optional, target.nullable, target.type) == (True, True, "float")
    assert set(prepared.column("test", "__series")) == {'["7", "tea"]', '["7", "jam"]'}


def test_the_naive_forecast_and_its_error(bench: Bench) -> None:
    columns = sales()
    prepared = prepared_of(bench, a_forecast(), columns)
    sold = np.array(columns["sold"][1]).reshape(DAYS, 2)
    naive = prepared.column("test", "__naive")
    assert naive == sold[48 - 14 : DAYS - 14].ravel().tolist()
    assert prepared.column("test", "__scale") == [pytest.approx(7.0)] * 24  # 14 days at 0.5 more a day
    assert prepared.column("train", "__naive")[:28] == [None] * 28
    assert prepared.column("test", "__target") == sold[48:].ravel().tolist()
    assert prepared.column("test", "__time") == list(columns["at"][1])[96:]


def test_rows_without_a_target_are_left_out_and_their_answers_are_the_servers(bench: Bench) -> None:
    columns = sales()
    sold: list[float | None] = list(columns["sold"][1])
    prepared = prepared_of(bench, a_forecast(), {**columns, "sold": ("float", [*sold[:100], *[None] * 20])})
    assert sum(prepared.summary["rows"].values()) == 100
    history = History.from_table(prepared.transform, prepared.table("history"))
    future = {"at": "2024-02-29T00:00:00Z", "store": "7", "sku": "tea", "promotion": False}
    answers = history.answer(columns_from_instances(prepared.transform, [future]), 1)
    assert answers["sold.lag_10"][0] == sold[49 * 2]
    assert answers["sold.lag_16"][0] == sold[43 * 2]
    first = columns_from_instances(prepared.transform, [{**future, "at": "2024-02-20T00:00:00Z"}])
    tea = [value for value in sold[2 * (50 - 37) : 2 * 41 : 2] if value is not None]
    assert history.answer(first, 1)["sold.mean_28"][0] == pytest.approx(sum(tea) / 28)


def test_replaying_a_forecasts_rows_gives_the_matrix(bench: Bench) -> None:
    columns = sales()
    gaps: list[float | None] = [None if row % 11 == 3 else value / 3 for row, value in enumerate(columns["sold"][1])]
    prepared = prepared_of(bench, a_forecast({"season": "3d"}), {**columns, "sold": ("float", gaps)})
    history, transform = History(prepared.transform), prepared.transform
    for part, rows in (("train", "reference"), ("test", "test_rows")):
        expected = prepared.table(part)
        for row in range(expected.num_rows):
            instances = instances_from_table(transform, prepared.table(rows).slice(row, 1))
            raw = columns_from_instances(transform, instances)
            online = transform.apply({**raw, **history.answer(raw, 1)})[0]
            wanted = [expected.column(feature.name)[row].as_py() for feature in transform.features]
            np.testing.assert_array_equal(online, np.array(wanted, dtype=np.float32))


@pytest.mark.parametrize(
    ("frequency", "horizon", "season"),
    [
        pytest.param("1d", "3d", 7, id="a-week-of-days"),
        pytest.param("1h", "5h", 24, id="a-day-of-hours"),
        pytest.param("7h", "21h", 3, id="no-whole-part-of-a-day"),
        pytest.param("7d", "28d", 4, id="weeks"),
    ],
)
def test_the_season_without_one_in_the_spec(bench: Bench, frequency: str, horizon: str, season: int) -> None:
    model = a_forecast({"frequency": frequency, "horizon": horizon})
    step = model.spec.data.series.frequency if model.spec.data.series else timedelta()
    times = [START + step * (row // 2) for row in range(DAYS * 2)]
    prepared = prepared_of(bench, model, {**sales(), "at": ("timestamp", times)})
    assert prepared.summary["series"]["seasonSteps"] == season


def test_a_series_with_two_rows_of_one_time_is_refused(bench: Bench) -> None:
    columns = sales()
    doubled: Columns = {name: (kind, [*values, values[-1]]) for name, (kind, values) in columns.items()}
    with pytest.raises(DataError, match="expected one row a series and time, found 2 at 2024-02-29") as caught:
        prepared_of(bench, a_forecast(), doubled)
    assert caught.value.place == "columns store, sku"


def test_short_series_and_holes_are_said(bench: Bench) -> None:
    columns = sales()
    kept = [row for row in range(DAYS * 2) if row not in (20, 40) and (row % 2 == 0 or row < 6)]
    prepared = prepared_of(
        bench, a_forecast(), {name: (kind, [values[row] for row in kept]) for name, (kind, values) in columns.items()}
    )
    short, holes = prepared.summary["warnings"][:2]
    assert short.startswith("1 series have fewer rows than horizon and season (17)")
    assert holes.startswith("1 series have holes")
    assert set(prepared.column("test", "__series")) == {'["7", "tea"]'}


def test_a_key_of_fractions_is_refused(bench: Bench) -> None:
    with pytest.raises(DataError, match="texts or whole numbers as the key") as caught:
        prepared_of(bench, a_forecast(), sales(store=("float", [1.5] * DAYS * 2)))
    assert caught.value.place == "column store"


def test_a_forecast_has_no_other_windows(bench: Bench) -> None:
    model = a_forecast()
    values = model.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    values["spec"]["features"] = [{"name": "n", "over": "note", "by": "sku", "window": "1d", "take": "count"}]
    with pytest.raises(InputError, match="expected none with task forecast"):
        prepared_of(bench, Model.model_validate(values), sales())
