# SPDX-License-Identifier: Apache-2.0
"""Requests of a model with windows and optional columns: what may be left out, and what must come together."""

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from kelp.errors import RequestError
from kelp.frame.arrow import columns_from_table
from kelp.frame.instances import instances_from_table
from kelp.frame.rows import columns_from_instances
from kelp.frame.tensors import Tensor, columns_from_tensors
from kelp.frame.transform import Transform
from tests.unit.kelp.frame.windowed import quotes, window

TWO = quotes(window("count"), window("mean"))
RAW = ["at", "sku", "customer", "shelf", "price"]
QUOTE: dict[str, Any] = {"at": 100, "sku": "tea", "customer": "Ann Smith"}
SENT = {**QUOTE, "count_price": 3, "mean_price": None}
TENSORS = (
    Tensor("at", "FP64", (1,), [100]),
    Tensor("sku", "BYTES", (1,), ["tea"]),
    Tensor("customer", "BYTES", (1,), [""]),
)
COUNT = Tensor("count_price", "INT64", (1,), [3])
MEAN = Tensor("mean_price", "FP64", (1,), [None])


def test_optional_columns_may_be_left_out_of_some_rows() -> None:
    columns = columns_from_instances(TWO, [QUOTE, {**QUOTE, "price": 2.5}])
    assert list(columns) == RAW
    np.testing.assert_array_equal(columns["price"], [math.nan, 2.5])
    np.testing.assert_array_equal(columns["shelf"], [math.nan, math.nan])


def test_windows_are_taken_by_name() -> None:
    columns = columns_from_instances(TWO, [SENT])
    np.testing.assert_array_equal(columns["count_price"], [3])
    np.testing.assert_array_equal(columns["mean_price"], [math.nan])


def test_lists_hold_every_column_and_then_no_window_or_all() -> None:
    row = [100, "tea", None, None, 2.5]
    assert list(columns_from_instances(TWO, [row, row])) == RAW
    assert columns_from_instances(TWO, [[*row, 3, 4.5]])["mean_price"].tolist() == [4.5]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        pytest.param(
            [{**QUOTE, "count_price": 1}], "instances[0].mean_price: expected a float, found", id="one-of-two"
        ),
        pytest.param([QUOTE, SENT], "instances[0].count_price: expected a float, found", id="not-in-the-first-row"),
        pytest.param([SENT, QUOTE], "instances[1].count_price: expected a float, found", id="not-in-the-last-row"),
        pytest.param([{**SENT, "count_price": "3"}], "instances[0].count_price: expected a number", id="a-string"),
        pytest.param([{**SENT, "count_price": 1e39}], "within the range of float32", id="beyond-float32"),
        pytest.param([[100, "tea", None, None, 2.5, 3]], "expected a list of 7 values (at, ", id="list-with-one"),
        pytest.param([[100, "tea", None, None]], "expected a list of 5 values (at, ", id="short-list"),
        pytest.param([[1] * 7, [1] * 5], "instances[1]: expected a list of 7", id="lists-of-two-kinds"),
    ],
)
def test_some_windows_are_refused(rows: list[Any], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        columns_from_instances(TWO, rows)
    assert message in str(caught.value)


@pytest.mark.parametrize("value", [12_345_678, True, ["12345678"], {"12345678": 1}])
def test_private_value_is_not_in_the_refusal(value: object) -> None:
    with pytest.raises(RequestError, match="expected a string or null, found another kind of value") as caught:
        columns_from_instances(TWO, [{**QUOTE, "customer": value}])
    assert "12345678" not in str(caught.value)


def test_optional_tensors_may_be_left_out_and_windows_sent() -> None:
    columns = columns_from_tensors(TWO, TENSORS)
    assert sorted(columns) == sorted(RAW)
    np.testing.assert_array_equal(columns["price"], [math.nan])
    assert columns_from_tensors(TWO, [*TENSORS, MEAN, COUNT])["count_price"].tolist() == [3]


@pytest.mark.parametrize(
    ("tensors", "message", "fix"),
    [
        pytest.param([*TENSORS, COUNT], "inputs.mean_price: expected a tensor", "every window", id="one-window"),
        pytest.param(TENSORS[:2], "inputs.customer: expected a tensor of BYTES", "one tensor per raw", id="a-column"),
        pytest.param(
            [*TENSORS, MEAN, Tensor("count_price", "INT64", (2,), [1, 2])], "expected 1 rows as in at", "", id="rows"
        ),
    ],
)
def test_wrong_tensors_are_refused(tensors: list[Tensor], message: str, fix: str) -> None:
    with pytest.raises(RequestError) as caught:
        columns_from_tensors(TWO, tensors)
    assert message in str(caught.value)
    assert fix in caught.value.fix


def test_tensors_of_no_declared_column_are_refused() -> None:
    optional = tuple(column.model_copy(update={"optional": True}) for column in TWO.columns)
    with pytest.raises(RequestError, match="inputs: expected a tensor of at least one raw column"):
        columns_from_tensors(TWO.model_copy(update={"columns": optional}), [Tensor("x", "FP64", (1,), [1])])


def test_table_with_windows_is_the_same_as_its_rows_sent() -> None:
    moment = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    table = pa.table(
        {
            "at": pa.array([moment, None], pa.timestamp("us", "UTC")),
            "sku": ["tea", None],
            "customer": pa.array([None, None], pa.string()),
            "shelf": [7, None],
            "price": [2.5, None],
            "mean_price": [4.5, None],
            "count_price": [3.0, 0.0],
        }
    )
    instances = instances_from_table(TWO, table)
    assert list(instances[0]) == [*RAW, "count_price", "mean_price"]
    assert instances[1]["mean_price"] is None
    assert_equal_columns(TWO, table, instances)
    without = table.drop_columns(["mean_price", "count_price"])
    assert list(columns_from_table(TWO, without)) == RAW


def assert_equal_columns(transform: Transform, table: pa.Table, instances: list[dict[str, Any]]) -> None:
    found, expected = columns_from_table(transform, table), columns_from_instances(transform, instances)
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize(
    ("text", "expected"),
    [pytest.param("", None, id="empty-is-missing"), pytest.param("x" * 1_000_000, "x" * 1_000_000, id="a-million")],
)
def test_texts_come_as_strings(text: str, expected: str | None) -> None:
    note = {"name": "note", "type": "text", "nullable": True}
    word = {"name": "x", "column": "note", "kind": "word", "word": "x"}
    transform = Transform.model_validate({"task": "regression", "classes": (), "columns": [note], "features": [word]})
    assert columns_from_tensors(transform, [Tensor("note", "BYTES", (1,), [text])])["note"].tolist() == [expected]
    assert columns_from_instances(transform, [{"note": text}])["note"].tolist() == [text]
