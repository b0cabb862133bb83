# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelp.errors import IntegrityError
from kelp.frame.history import History
from kelp.frame.transform import Transform
from tests.unit.kelp.frame.test_history import ALL, RowsOf, answered, assert_same, rows
from tests.unit.kelp.frame.windowed import columns_of, quotes, window

NAMES = ("by", "over", "entity", "time_us", "number", "text")
TYPES = (pa.string(), pa.string(), pa.string(), pa.int64(), pa.int64(), pa.string())


def a_table(*events: tuple[Any, ...]) -> pa.Table:
    cells = list(zip(*events, strict=True)) or [()] * len(NAMES)
    return pa.table({name: pa.array(found, kind) for name, found, kind in zip(NAMES, cells, TYPES, strict=True)})


def started(transform: Transform, sent: RowsOf) -> History:
    history = History(transform)
    history.observe(columns_of(transform, sent))
    return history


@given(st.lists(rows, max_size=30), st.lists(rows, min_size=1, max_size=5))
def test_history_that_was_written_and_read_answers_alike(sent: RowsOf, asked: RowsOf) -> None:
    history = started(ALL, sent)
    table = history.to_table()
    again = History.from_table(ALL, table)
    assert again.to_table() == table
    assert again.facts()["events"] == history.facts()["events"]
    assert_same(answered(again, asked), answered(history, asked))


def test_table_has_whole_units_and_texts_sorted() -> None:
    transform = quotes(
        window("mean", unit=0.25),
        window("distinct", over="customer", by=("shelf", "sku"), unit=1.0),
        window("since", over="at", by=("price",), unit=1.0),
    )
    history = started(
        transform,
        [
            {"at": 1.5, "sku": "b", "customer": "x", "shelf": 7, "price": -0.0},
            {"at": 1.0, "sku": "a", "customer": None, "shelf": 7, "price": 0.55},
            {"at": 0.5, "sku": "b", "customer": "y", "shelf": None, "price": 2.0},
        ],
    )
    table = history.to_table()
    assert table == a_table(
        ('["price"]', "at", '["0.0"]', 1_500_000, None, None),
        ('["price"]', "at", '["0.55"]', 1_000_000, None, None),
        ('["price"]', "at", '["2.0"]', 500_000, None, None),
        ('["shelf", "sku"]', "customer", '["7", "b"]', 1_500_000, None, "x"),
        ('["sku"]', "price", '["a"]', 1_000_000, 2, None),
        ('["sku"]', "price", '["b"]', 500_000, 8, None),
        ('["sku"]', "price", '["b"]', 1_500_000, 0, None),
    )


def test_table_without_events_is_a_history_of_nothing() -> None:
    history = History.from_table(ALL, a_table())
    assert history.facts()["entities"] == 0
    assert history.to_table() == a_table()


def test_entities_are_used_in_the_order_of_their_newest_events() -> None:
    table = a_table(*(('["sku"]', "price", f'["{sku}"]', at, 1, None) for sku, at in (("a", 3), ("b", 1), ("c", 2))))
    history = History.from_table(quotes(window("sum")), table)
    assert list(history._groups[0].entities) == ["b", "c", "a"]


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(('["sku"]', "shelf", '["a"]', 1, 1, None), id="column-that-no-window-reads"),
        pytest.param(('["shelf"]', "price", '["1"]', 1, 1, None), id="by-other-columns"),
        pytest.param(("sku", "price", '["a"]', 1, 1, None), id="by-is-no-json"),
        pytest.param(('["sku"]', "price", '["a", "b"]', 1, 1, None), id="entity-of-two-texts"),
        pytest.param(('["sku"]', "price", '"a"', 1, 1, None), id="entity-without-a-list"),
        pytest.param(('["sku"]', "price", "[1]", 1, 1, None), id="entity-of-a-number"),
        pytest.param(('["sku"]', "price", None, 1, 1, None), id="no-entity"),
        pytest.param(('["sku"]', "price", '["a"]', None, 1, None), id="no-time"),
        pytest.param(('["sku"]', "price", '["a"]', 1, None, None), id="no-number"),
        pytest.param(('["sku"]', "price", '["a"]', 1, 2**40 + 1, None), id="number-of-too-many-units"),
        pytest.param(('["sku"]', "customer", '["a"]', 1, 1, None), id="no-text"),
    ],
)
def test_event_that_fits_no_window_names_its_row(event: tuple[Any, ...]) -> None:
    transform = quotes(window("sum"), window("distinct", over="customer", unit=1.0))
    good = ('["sku"]', "price", '["a"]', 1, 1, None)
    with pytest.raises(IntegrityError) as caught:
        History.from_table(transform, a_table(good, event))
    assert caught.value.place == "history.parquet, row 1"


def test_absent_column_is_named() -> None:
    with pytest.raises(IntegrityError, match="found no entity"):
        History.from_table(quotes(window("sum")), a_table().drop_columns(["entity"]))
