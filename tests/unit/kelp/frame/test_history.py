# SPDX-License-Identifier: Apache-2.0
"""History against the definition: for each row, look at every earlier row."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelp.errors import RequestError
from kelp.frame.history import History
from kelp.frame.parts import MOST_UNITS
from kelp.frame.transform import Transform, Window
from tests.unit.kelp.frame.windowed import SECOND, TAKES, columns_of, quotes, window

RowsOf = list[dict[str, Any]]

ALL = quotes(
    *(window(take) for take in TAKES),
    *(window(take, over="shelf", by=("sku", "shelf"), start_us=3 * SECOND, end_us=SECOND) for take in TAKES),
    window("distinct", over="customer", unit=1.0),
    window("count", over="customer", unit=1.0, start_us=SECOND),
    window("since", over="at", unit=1.0),
    window("distinct", over="at", by=("price",), unit=1.0),
)

rows = st.fixed_dictionaries(
    {
        "at": st.integers(0, 100).map(lambda fifths: fifths / 5),
        "sku": st.sampled_from(["a", "b", "ä", None]),
        "customer": st.sampled_from(["x", "y", None]),
        "shelf": st.sampled_from([0, 1, 2, None]),
        "price": st.none() | st.sampled_from([0.0, -0.0, 0.1, 0.125, -0.125, 7.3]) | st.floats(-1e30, 1e30),
    }
)


def by_definition(transform: Transform, earlier: RowsOf, row: dict[str, Any], window: Window) -> float:
    """One window of one row from all rows before it, without any structure."""
    at = round(row["at"] * 1e6)
    if any(row[name] is None for name in window.by):
        return 0.0 if window.take in ("count", "sum", "distinct") else math.nan
    events = [
        (round(other["at"] * 1e6), other[window.over])
        for other in earlier
        if all(other[name] == row[name] for name in window.by)
        and at - window.start_us <= round(other["at"] * 1e6) <= at - window.end_us
        and other[window.over] is not None
    ]
    kind = next(column.type for column in transform.columns if column.name == window.over)
    return taken(window, at, events, kind in ("int", "float", "bool"))


def taken(window: Window, at: int, events: Sequence[tuple[int, Any]], is_number: bool) -> float:
    values = [value for _, value in events]
    if is_number:
        unrounded = [value / window.unit + 0.5 for value in values]
        values = [math.floor(min(max(units, -MOST_UNITS), MOST_UNITS)) for units in unrounded]
    if not events:
        return 0.0 if window.take in ("count", "sum", "distinct") else math.nan
    answers: dict[str, Callable[[], float]] = {
        "count": lambda: len(values),
        "sum": lambda: sum(values) * window.unit,
        "mean": lambda: sum(values) / len(values) * window.unit,
        "min": lambda: min(values) * window.unit,
        "max": lambda: max(values) * window.unit,
        "distinct": lambda: len(set(values)),
        "since": lambda: (at - max(time for time, _ in events)) / 1e6,
    }
    return float(answers[window.take]())


def answered(history: History, sent: RowsOf) -> dict[str, list[float]]:
    found = history.answer(columns_of(history.transform, sent), len(sent))
    return {name: values.tolist() for name, values in found.items()}


def assert_same(found: dict[str, list[float]], expected: dict[str, list[float]]) -> None:
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


@given(st.lists(rows, max_size=40))
def test_every_window_is_what_its_definition_says_of_all_earlier_rows(sent: RowsOf) -> None:
    sent.sort(key=lambda row: row["at"])
    expected = {
        window.name: [by_definition(ALL, sent[:row], sent[row], window) for row in range(len(sent))]
        for window in ALL.windows
    }
    assert_same(answered(History(ALL), sent), expected)


@given(st.lists(rows, max_size=40), st.integers(1, 7))
def test_requests_of_several_rows_and_of_one_answer_alike(sent: RowsOf, size: int) -> None:
    together = answered(History(ALL), sent)
    history = History(ALL)
    parts = [answered(history, sent[start : start + size]) for start in range(0, len(sent), size)]
    assert_same({name: [value for part in parts for value in part[name]] for name in together}, together)


@given(st.lists(rows, max_size=30), st.randoms(use_true_random=False))
def test_order_of_simultaneous_rows_does_not_matter(sent: RowsOf, random: Any) -> None:
    for row in sent:
        row["at"] = math.floor(row["at"])
    in_order = sorted(enumerate(sent), key=lambda item: item[1]["at"])
    shuffled = sorted(random.sample(list(enumerate(sent)), len(sent)), key=lambda item: item[1]["at"])
    results = []
    for numbered in (in_order, shuffled):
        found = answered(History(ALL), [row for _, row in numbered])
        original = sorted(range(len(sent)), key=lambda position: numbered[position][0])
        results.append({name: [values[position] for position in original] for name, values in found.items()})
    assert_same(*results)


@given(st.lists(rows, max_size=30), rows)
def test_rows_that_came_late_are_taken_in_at_their_time(sent: RowsOf, asked: dict[str, Any]) -> None:
    asked["at"] = 20.2
    expected = {window.name: [by_definition(ALL, sent, asked, window)] for window in ALL.windows}
    history = History(ALL)
    history.observe(columns_of(ALL, sent))
    assert_same(answered(history, [asked]), expected)


@given(st.lists(rows, max_size=60))
def test_what_was_forgotten_is_read_by_no_later_row(sent: RowsOf) -> None:
    """The same stream stretched in time, so that nearly all of it is forgotten on the way."""
    sent.sort(key=lambda row: row["at"])
    for position, row in enumerate(sent):
        row["at"] += 5 * position
    expected = {
        window.name: [by_definition(ALL, sent[:row], sent[row], window) for row in range(len(sent))]
        for window in ALL.windows
    }
    assert_same(answered(History(ALL), sent), expected)


def test_memory_of_forgotten_events_is_given_back() -> None:
    history = History(quotes(*(window(take) for take in TAKES)))
    sent = [{"at": float(second), "sku": "a", "price": 1.5} for second in range(1000)]
    found = answered(history, sent)
    assert found["sum_price"][-1] == 15.0
    ((series,),) = history._groups[0].entities.values()
    assert len(series.times) < 50
    assert history.facts() == {"entities": 1, "events": 11, "droppedEntities": 0, "droppedEvents": 0}


def test_row_of_nobody_has_no_history_and_joins_none() -> None:
    history = History(quotes(window("count"), window("mean")))
    found = answered(history, [{"at": 1.0, "price": 2.0}, {"at": 2.0, "price": 2.0}])
    assert_same(found, {"count_price": [0, 0], "mean_price": [math.nan, math.nan]})
    assert history.facts()["entities"] == 0


def test_events_beyond_the_limit_are_dropped_oldest_first_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    history = History(quotes(window("sum")), most_events=2)
    sent = [{"at": at, "sku": "a", "price": price} for at, price in ((1.0, 1.0), (2.0, 10.0), (3.0, 100.0), (4.0, 0.0))]
    assert answered(history, sent)["sum_price"] == [0, 1, 11, 110]
    assert (history.facts()["events"], history.facts()["droppedEvents"]) == (2, 2)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_late_event_of_a_full_entity_is_the_one_that_is_dropped() -> None:
    history = History(quotes(window("sum")), most_events=2)
    sent = [{"at": at, "sku": "a", "price": price} for at, price in ((2.0, 1.0), (3.0, 10.0), (1.0, 100.0), (4.0, 0.0))]
    assert answered(history, sent)["sum_price"] == [0, 1, 0, 11]


def test_entities_beyond_the_limit_are_dropped_by_last_use_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    history = History(quotes(window("count")), most_entities=2)
    sent = [{"at": float(at), "sku": sku, "price": 1.0} for at, sku in enumerate("abacba")]
    assert answered(history, sent)["count_price"] == [0, 0, 1, 0, 0, 0]
    assert history.facts() == {"entities": 2, "events": 2, "droppedEntities": 3, "droppedEvents": 0}
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_asking_without_an_event_is_a_use_of_the_entity() -> None:
    history = History(quotes(window("count")), most_entities=2)
    answered(history, [{"at": 0.0, "sku": "a", "price": 1.0}, {"at": 1.0, "sku": "b", "price": 1.0}])
    answered(history, [{"at": 2.0, "sku": "a"}, {"at": 3.0, "sku": "c", "price": 1.0}])
    assert answered(history, [{"at": 4.0, "sku": "a"}])["count_price"] == [1]


def test_missing_time_is_refused_before_anything_is_taken_in() -> None:
    history = History(quotes(window("count")))
    sent = [{"at": 1.0, "sku": "a", "price": 1.0}, {"sku": "a", "price": 1.0}]
    with pytest.raises(RequestError, match=r"instances\[1\]\.at: expected the row's time"):
        answered(history, sent)
    with pytest.raises(RequestError, match=r"instances\[1\]\.at"):
        history.observe(columns_of(history.transform, sent))
    assert history.facts()["events"] == 0


def test_threads_lose_no_event() -> None:
    history = History(quotes(window("count"), window("sum")))
    sent = [{"at": 1.0, "sku": "a", "price": 1.0}] * 100
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: answered(history, sent), range(16)))
    assert answered(history, [{"at": 2.0, "sku": "a"}]) == {"count_price": [1600], "sum_price": [1600]}
    assert not history.is_busy
