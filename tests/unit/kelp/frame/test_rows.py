# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kelp.errors import RequestError
from kelp.frame.rows import columns_from_instances
from kelp.frame.transform import Transform

GOOD = {"amount": 12.5, "items": 2, "is_foreign": False, "merchant": "shop", "at": "2024-05-01T10:00:00Z"}
ABSENT = object()

rows = st.fixed_dictionaries(
    {
        "amount": st.none() | st.floats(0, 1e30) | st.integers(0, 10**30),
        "items": st.integers(1, 100) | st.integers(1, 100).map(float),
        "is_foreign": st.none() | st.booleans(),
        "merchant": st.none() | st.sampled_from(["shop", "café"]) | st.text(),
        "at": st.none()
        | st.floats(-62135596800, 253402300799)
        | st.datetimes().map(lambda moment: moment.isoformat())
        | st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.timezones()).map(
            lambda moment: moment.isoformat()
        ),
    }
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the fixture is frozen
@given(batch=st.lists(rows, min_size=1, max_size=8))
def test_one_row_at_a_time_equals_the_batch(payments: Transform, batch: list[dict[str, Any]]) -> None:
    together = payments.apply(columns_from_instances(payments, batch))
    single = [payments.apply(columns_from_instances(payments, [row])) for row in batch]
    as_lists = payments.apply(columns_from_instances(payments, [[row[name] for name in GOOD] for row in batch]))
    np.testing.assert_array_equal(together, np.concatenate(single))
    np.testing.assert_array_equal(together, as_lists)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        pytest.param("2024-05-01T10:00:00Z", datetime(2024, 5, 1, 10, tzinfo=UTC), id="zulu"),
        pytest.param("2024-05-01T10:00:00", datetime(2024, 5, 1, 10, tzinfo=UTC), id="naive-is-utc"),
        pytest.param("2024-05-01T12:00:00+02:00", datetime(2024, 5, 1, 10, tzinfo=UTC), id="offset"),
        pytest.param("2024-05-01", datetime(2024, 5, 1, tzinfo=UTC), id="date"),
        pytest.param(1714557600, datetime(2024, 5, 1, 10, tzinfo=UTC), id="seconds"),
        pytest.param(1714557600.0, datetime(2024, 5, 1, 10, tzinfo=UTC), id="seconds-as-float"),
    ],
)
def test_timestamps_are_read_as_seconds_of_utc(payments: Transform, moment: object, expected: datetime) -> None:
    columns = columns_from_instances(payments, [{**GOOD, "at": moment}])
    assert columns["at"].tolist() == [expected.timestamp()]


def test_undeclared_keys_are_ignored(payments: Transform) -> None:
    assert set(columns_from_instances(payments, [{**GOOD, "surplus": [1]}])) == set(GOOD)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        pytest.param("amount", ABSENT, "instances[1].amount: expected a float, found nothing", id="absent"),
        pytest.param("amount", "12", 'expected a number >= 0 or null, found the string "12"', id="string-for-number"),
        pytest.param("amount", True, "found true", id="bool-for-number"),
        pytest.param("amount", [1], "found a list", id="list-for-number"),
        pytest.param("amount", {}, "found an object", id="object-for-number"),
        pytest.param("amount", -0.5, "expected a number >= 0 or null, found -0.5", id="below-min"),
        pytest.param("amount", float("nan"), "found nan", id="nan"),
        pytest.param("amount", float("inf"), "found inf", id="infinity"),
        pytest.param("amount", 1e39, "found 1e+39", id="beyond-float32"),
        pytest.param("amount", 10**400, "found a number of more than 40 digits", id="huge-integer"),
        pytest.param("items", None, "expected a whole number between 1 and 100, found null", id="null-not-allowed"),
        pytest.param("items", 1.5, "expected a whole number between 1 and 100, found 1.5", id="fraction-for-int"),
        pytest.param("items", 101, "found 101", id="above-max"),
        pytest.param("items", False, "found false", id="bool-for-int"),
        pytest.param("is_foreign", 1, "expected true or false or null, found 1", id="number-for-bool"),
        pytest.param("is_foreign", "true", 'found the string "true"', id="string-for-bool"),
        pytest.param("merchant", 7, "expected a string or null, found 7", id="number-for-category"),
        pytest.param("merchant", False, "found false", id="bool-for-category"),
        pytest.param("at", "yesterday", 'an ISO 8601 string or seconds since 1970', id="not-a-time"),
        pytest.param("at", "2024-13-01", 'found the string "2024-13-01"', id="month-13"),
        pytest.param("at", "0001-01-01T00:00:00+23:00", "within the years 1 to 9999", id="before-year-1"),
        pytest.param("at", 1e18, "found 1e+18", id="milliseconds-beyond-year-9999"),
        pytest.param("at", True, "found true", id="bool-for-time"),
    ],
)  # fmt: skip
def test_wrong_cell_is_refused_by_name(payments: Transform, name: str, value: object, message: str) -> None:
    bad: dict[str, object] = {**GOOD, name: value}
    if value is ABSENT:
        del bad[name]
    with pytest.raises(RequestError) as caught:
        columns_from_instances(payments, [GOOD, bad])
    assert message in str(caught.value)
    assert caught.value.place == f"instances[1].{name}"


def test_long_value_is_cut_in_the_message(payments: Transform) -> None:
    with pytest.raises(RequestError) as caught:
        columns_from_instances(payments, [{**GOOD, "amount": "x" * 10_000}])
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("instances", "message"),
    [
        pytest.param(None, "instances: expected a list of rows, found null", id="null"),
        pytest.param("rows", "instances: expected a list of rows, found the string", id="string"),
        pytest.param({}, "instances: expected a list of rows, found an object", id="object"),
        pytest.param([], "instances: expected one or more rows, found none", id="empty"),
        pytest.param([7], "instances[0]: expected an object of columns by name, found 7", id="number-for-row"),
        pytest.param([None], "instances[0]: expected an object", id="null-for-row"),
        pytest.param([GOOD, list(GOOD.values())], "instances[1]: expected an object", id="object-then-list"),
        pytest.param([list(GOOD.values()), GOOD], "instances[1]: expected a list of 5", id="list-then-object"),
        pytest.param(
            [[1, 2]], "expected a list of 5 values (amount, items, is_foreign, merchant, at), found 2", id="few"
        ),
        pytest.param([[1] * 6], "found 6", id="many"),
    ],
)
def test_wrong_rows_are_refused_by_position(payments: Transform, instances: object, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        columns_from_instances(payments, instances)
    assert message in str(caught.value)
