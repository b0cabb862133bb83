# SPDX-License-Identifier: Apache-2.0
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.prepare.split import Parts, refuse_unlearnable, split_rows
from kelp.errors import DataError
from tests.unit.components.ingest.factories import a_model

START = datetime(2024, 1, 1)


def by_time(days: list[float], **split: Any) -> Parts:
    times = pa.array([START + timedelta(days=day) for day in days], pa.timestamp("us"))
    return split_rows(a_model(time="at", split=split), pa.table({"at": times}))


def numbers(parts: Parts) -> tuple[list[int], list[int]]:
    return parts.train.tolist(), parts.test.tolist()


def test_the_newest_rows_are_the_test_part() -> None:
    assert numbers(by_time([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])) == ([0, 1, 2, 3, 4, 5, 6, 7], [8, 9])


def test_the_order_of_rows_does_not_matter() -> None:
    assert numbers(by_time([9, 8, 7, 6, 5, 4, 3, 2, 1, 0])) == ([2, 3, 4, 5, 6, 7, 8, 9], [0, 1])


def test_equal_times_are_on_one_side() -> None:
    assert numbers(by_time([0, 1, 2, 3, 4, 5, 8, 8, 8, 9])) == ([0, 1, 2, 3, 4, 5], [6, 7, 8, 9])


def test_the_gap_is_left_out() -> None:
    parts = by_time([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], gap="2d")
    assert numbers(parts) == ([0, 1, 2, 3, 4, 5], [8, 9])
    assert parts.boundary == "2024-01-09T00:00:00.000000Z"


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=60),
    st.sampled_from(["1%", "20%", "50%", "90%"]),
    st.integers(0, 5),
)
def test_by_time_no_training_row_is_later_than_the_gap_allows(days: list[int], test: str, gap: int) -> None:
    train, test_part = numbers(by_time([float(day) for day in days], test=test, gap=f"{gap}d"))
    assert not set(train) & set(test_part)
    boundary = min(days[row] for row in test_part)
    assert all(days[row] < boundary - gap or (gap == 0 and days[row] < boundary) for row in train)
    left_out = set(range(len(days))) - set(train) - set(test_part)
    assert all(boundary - gap <= days[row] < boundary for row in left_out)


@given(st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=1, max_size=80))
def test_by_entity_nobody_is_on_both_sides(entities: list[str | None]) -> None:
    table = pa.table({"who": pa.array(entities, pa.string())})
    model = a_model(entity="who")
    train, test = numbers(split_rows(model, table))
    assert sorted(train + test) == list(range(len(entities)))
    assert not {entities[row] for row in train} & {entities[row] for row in test}
    assert (train, test) == numbers(split_rows(model, table))


def test_an_entity_stays_on_its_side_when_others_come() -> None:
    people = [f"p{number}" for number in range(200)]
    model = a_model(entity="who")
    few = split_rows(model, pa.table({"who": people[:100]}))
    many = split_rows(model, pa.table({"who": people}))
    assert few.test.tolist() == [row for row in many.test.tolist() if row < 100]


def test_shares_are_near_to_what_was_asked() -> None:
    parts = split_rows(a_model(split={"test": "30%"}), pa.table({"x": range(10_000)}))
    assert len(parts.test) == pytest.approx(3_000, abs=200)


def test_by_row_the_id_decides_and_not_the_place() -> None:
    keys = [f"k{number}" for number in range(100)]
    model = a_model(id="key")
    forward, backward = (split_rows(model, pa.table({"key": order})) for order in (keys, keys[::-1]))
    assert {keys[row] for row in forward.test} == {keys[::-1][row] for row in backward.test}


def test_another_seed_is_another_split() -> None:
    table = pa.table({"x": range(1_000)})
    model = a_model()
    spec = model.spec.model_copy(update={"train": model.spec.train.model_copy(update={"seed": 8})})
    other = model.model_copy(update={"spec": spec})
    assert numbers(split_rows(model, table)) != numbers(split_rows(other, table))


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        pytest.param([0, 1], [2], "the test part", id="one-test-row"),
        pytest.param([], [0, 1, 2, 3], "the training part", id="no-training-row"),
        pytest.param([0, 1], [2, 4], "the test part", id="one-class-in-test"),
        pytest.param([0, 2], [1, 3], "the training part", id="one-class-in-training"),
    ],
)
def test_a_part_of_which_nothing_can_be_learnt_is_refused(train: list[int], test: list[int], said: str) -> None:
    parts = Parts(np.array(train, dtype=np.int64), np.array(test, dtype=np.int64), "noon")
    with pytest.raises(DataError, match="expected at least") as caught:
        refuse_unlearnable(a_model(), np.array([0, 1, 0, 1, 0]), parts)
    assert said in caught.value.place
    assert caught.value.fix
