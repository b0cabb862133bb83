# SPDX-License-Identifier: Apache-2.0
import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kelp.errors import DataError, IntegrityError
from kelp.frame.transform import Column, Feature, FeatureKind, RawColumn, RawType, Transform, Window
from tests.unit.kelp.frame.windowed import quotes, window


def a_transform(
    kind: FeatureKind, column_type: RawType, *, fill: float = 0, categories: tuple[str, ...] = ()
) -> Transform:
    return Transform(
        task="regression",
        classes=(),
        columns=(RawColumn(name="x", type=column_type, nullable=True),),
        features=(Feature(name="x", column="x", kind=kind, fill=fill, categories=categories),),
    )


def applied(transform: Transform, *values: Any) -> list[float]:
    is_text = transform.columns[0].type in ("string", "category")
    column: Column = np.array(values, dtype=object if is_text else np.float64)
    found: list[float] = transform.apply({"x": column})[:, 0].tolist()
    return found


def test_number_is_the_value_and_missing_is_the_fill() -> None:
    assert applied(a_transform("number", "float", fill=2.5), 1.5, np.nan, -3) == [1.5, 2.5, -3]


def test_category_is_its_position_unseen_is_zero_and_missing_is_the_fill() -> None:
    transform = a_transform("category", "category", fill=2, categories=("a", "b"))
    assert applied(transform, "b", "a", "unseen", None, "") == [2, 1, 0, 2, 0]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        pytest.param("hour", [23, 0, 9, 12], id="hour"),
        pytest.param("weekday", [2, 3, 1, 12], id="weekday-monday-is-0"),
        pytest.param("month", [12, 1, 2, 12], id="month"),
    ],
)
def test_time_parts_are_read_in_utc(kind: FeatureKind, expected: list[float]) -> None:
    moments = ["1969-12-31T23:59:59.9", "1970-01-01T00:00:00", "2000-02-29T09:30:00"]
    seconds = [datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() for moment in moments]
    assert applied(a_transform(kind, "timestamp", fill=12), *seconds, np.nan) == expected


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))
def test_time_parts_equal_those_of_datetime(moment: datetime) -> None:
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    found = {kind: applied(a_transform(kind, "timestamp"), seconds) for kind in ("hour", "weekday", "month")}
    # float64 holds a microsecond of the far years only nearly; a whole second is exact
    rounded = datetime.fromtimestamp(round(seconds), tz=UTC) if abs(seconds) > 2**33 else moment
    assert found in (
        {"hour": [rounded.hour], "weekday": [rounded.weekday()], "month": [rounded.month]},
        {"hour": [moment.hour], "weekday": [moment.weekday()], "month": [moment.month]},
    )


def test_json_round_trip_is_exact_and_its_bytes_are_stable(payments: Transform) -> None:
    text = payments.to_json()
    again = Transform.from_json(text)
    assert again == payments
    assert again.to_json() == text
    assert list(json.loads(text)) == sorted(json.loads(text))


@given(st.floats(allow_nan=False, allow_infinity=False), st.lists(st.text(), unique=True))
def test_json_keeps_every_fill_and_category(fill: float, categories: list[str]) -> None:
    number = a_transform("number", "float", fill=fill)
    assert Transform.from_json(number.to_json()) == number
    try:
        "".join(categories).encode()
    except UnicodeEncodeError:
        return  # a lone surrogate is not text
    coded = a_transform("category", "string", categories=tuple(categories))
    assert Transform.from_json(coded.to_json()) == coded


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"version": 2}, "version", id="a-later-version"),
        pytest.param({"surplus": 1}, "surplus", id="an-unknown-field"),
        pytest.param({"classes": ["true"]}, "classes (negative, positive)", id="one-class"),
        pytest.param({"classes": ["a", "a"]}, "not distinct", id="a-class-twice"),
        pytest.param({"task": "regression"}, "no classes", id="classes-of-a-regression"),
        pytest.param({"task": "multiclass", "classes": ["b", "a"]}, "sorted", id="unsorted-labels"),
        pytest.param({"features": []}, "features", id="no-feature"),
        pytest.param({"columns": []}, "not declared", id="a-feature-without-its-column"),
    ],
)
def test_wrong_content_is_refused_by_name(payments: Transform, change: dict[str, Any], message: str) -> None:
    content = {**json.loads(payments.to_json()), **change}
    with pytest.raises(IntegrityError) as caught:
        Transform.from_json(json.dumps(content), place="v1/transform.json")
    assert message in str(caught.value)
    assert caught.value.place == "v1/transform.json"


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        pytest.param("columns", {"type": "words"}, "columns.0.type", id="unknown-type"),
        pytest.param("columns", {"min": 2, "max": 1}, "min 2 is above max 1", id="min-above-max"),
        pytest.param("columns", {"type": "string", "min": 1}, "no min or max", id="bounds-of-a-string"),
        pytest.param(
            "columns", {"type": "string", "min": None}, "needs a int or float or bool", id="number-of-a-string"
        ),
        pytest.param("features", {"kind": "hour"}, "needs a timestamp", id="hour-of-a-number"),
        pytest.param("features", {"categories": ["a"]}, "has no categories", id="categories-of-a-number"),
        pytest.param("features", {"name": "items"}, "two features", id="a-feature-twice"),
    ],
)
def test_wrong_parts_are_refused(payments: Transform, part: str, change: dict[str, Any], message: str) -> None:
    content = json.loads(payments.to_json())
    content[part][0].update(change)
    with pytest.raises(IntegrityError, match=message):
        Transform.from_json(json.dumps(content))


@pytest.mark.parametrize(
    ("windows", "change", "message"),
    [
        pytest.param([window("count"), window("count")], {}, "the same name", id="a-window-twice"),
        pytest.param([window("count", name="sku")], {}, "the same name", id="name-of-a-column"),
        pytest.param([window("count")], {"time": None}, "need a column of time, found None", id="no-time"),
        pytest.param([window("count")], {"time": "price"}, "need a column of time, found price", id="time-a-number"),
        pytest.param([window("count", over="cost")], {}, "reads the column cost", id="over-nothing"),
        pytest.param([window("count", by=("shop",))], {}, "reads the column shop", id="by-nothing"),
        pytest.param([window("sum", over="sku")], {}, "takes sum of sku, which is no number", id="sum-of-texts"),
        pytest.param([window("sum"), window("mean", unit=0.5)], {}, "over price have two units", id="two-units"),
        pytest.param(
            [window("mean"), window("max", by=("customer",))],
            {"task": "forecast"},
            "by the columns of one key",
            id="forecast-by-two-keys",
        ),
    ],
)
def test_windows_that_do_not_fit_are_refused(windows: list[Window], change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        quotes(*windows, **change)


@pytest.mark.parametrize("text", ["", "[]", "{", b"\xff", '{"task": NaN}'])
def test_broken_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(IntegrityError):
        Transform.from_json(text)


@pytest.mark.parametrize("fill", [-1.0, 1.5, 3.0])
def test_fill_of_a_category_is_one_of_its_codes(fill: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 2"):
        Feature(name="x", column="x", kind="category", fill=fill, categories=("a", "b"))


def test_value_beyond_float32_names_its_column_and_row() -> None:
    with pytest.raises(DataError, match=r"column x, row 1: .*1e\+39"):
        applied(a_transform("number", "float"), 1, 1e39)


def test_absent_column_is_named(payments: Transform) -> None:
    with pytest.raises(DataError, match="column items"):
        payments.apply({"amount": np.zeros(1)})


def test_columns_of_different_length_are_refused(payments: Transform) -> None:
    columns = {column.name: np.zeros(2) for column in payments.columns}
    with pytest.raises(DataError, match="differ in length"):
        payments.apply({**columns, "items": np.zeros(3)})


def test_columns_that_no_feature_reads_are_ignored() -> None:
    transform = a_transform("number", "float")
    assert transform.apply({"x": np.ones(2), "other": np.ones(5)}).shape == (2, 1)
