# SPDX-License-Identifier: Apache-2.0
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.prepare.labels import refuse_unlearnable
from components.prepare.snapshot import open_source
from components.prepare.split import (
    GAP,
    LEFT_OUT,
    TEST,
    TRAINING,
    VALIDATION,
    Parts,
    by_row_number,
    by_time,
    split_rows,
)
from kelp.errors import DataError
from kelp.spec import Model
from tests.unit.components.ingest.factories import Bench, a_model
from tests.unit.components.prepare.snapshots import Columns, write_snapshot

START = datetime(2024, 1, 1)


def split(bench: Bench, model: Model, **columns: tuple[str, list[Any]]) -> Parts:
    rows = len(next(iter(columns.values()))[1])
    table: Columns = {"label": ("category", ["yes"] * rows), **columns}
    return split_rows(model, open_source(model, bench.home, write_snapshot(bench.root / "split", table)))


def days(bench: Bench, found: list[float], **rule: Any) -> Parts:
    times = [START + timedelta(days=day) for day in found]
    return split(bench, a_model(time="at", split=rule), at=("timestamp", times))


def numbers(parts: Parts) -> tuple[list[int], list[int]]:
    return np.flatnonzero(parts.is_training).tolist(), np.flatnonzero(parts.codes == TEST).tolist()


def test_the_newest_rows_are_the_test_part(bench: Bench) -> None:
    assert numbers(days(bench, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])) == ([0, 1, 2, 3, 4, 5, 6, 7], [8, 9])


def test_the_order_of_rows_does_not_matter(bench: Bench) -> None:
    assert numbers(days(bench, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0])) == ([2, 3, 4, 5, 6, 7, 8, 9], [0, 1])


def test_equal_times_are_on_one_side(bench: Bench) -> None:
    assert numbers(days(bench, [0, 1, 2, 3, 4, 5, 8, 8, 8, 9])) == ([0, 1, 2, 3, 4, 5], [6, 7, 8, 9])


def test_the_gap_is_left_out(bench: Bench) -> None:
    parts = days(bench, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], gap="2d")
    assert numbers(parts) == ([0, 1, 2, 3, 4, 5], [8, 9])
    assert np.flatnonzero(parts.codes == GAP).tolist() == [6, 7]
    assert parts.boundary == "2024-01-09T00:00:00.000000Z"


def test_rows_without_a_target_count_for_nothing(bench: Bench) -> None:
    times = [START + timedelta(days=day) for day in range(13)]
    model = a_model(time="at", task="regression")
    label: list[float | None] = [*map(float, range(10)), None, None, None]
    parts = split(bench, model, at=("timestamp", times), label=("float", label))
    assert numbers(parts) == ([0, 1, 2, 3, 4, 5, 6, 7], [8, 9])
    assert np.flatnonzero(parts.codes == LEFT_OUT).tolist() == [10, 11, 12]


def test_by_time_the_newest_of_the_training_rows_are_kept_back(bench: Bench) -> None:
    parts = days(bench, [float(day) for day in range(100)])
    assert np.flatnonzero(parts.codes == VALIDATION).tolist() == [72, 73, 74, 75, 76, 77, 78, 79]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.sampled_from([0.01, 0.2, 0.5, 0.9]), st.integers(0, 5))
def test_by_time_nothing_is_later_than_what_comes_after_it(found: list[int], test: float, gap: int) -> None:
    times = np.array(found, dtype=np.int64)
    parts = by_time(times.copy(), np.ones(len(times), dtype=np.bool_), test, gap)
    boundary = times[parts.codes == TEST].min()
    assert (times[parts.is_training] < boundary - gap).all()
    left_out = times[parts.codes == GAP]
    assert ((boundary - gap <= left_out) & (left_out < boundary)).all()
    if parts.is_training.any():
        assert (parts.codes == TRAINING).any()
        kept_back = times[parts.codes == VALIDATION]
        assert (kept_back > times[parts.codes == TRAINING].max()).all()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(entities=st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=1, max_size=80))
def test_by_entity_nobody_is_in_two_parts(bench: Bench, entities: list[str | None]) -> None:
    codes = split(bench, a_model(entity="who"), who=("string", entities)).codes.tolist()
    pairs = set(zip(entities, codes, strict=True))
    assert len(pairs) == len(set(entities))
    assert codes == split(bench, a_model(entity="who"), who=("string", entities)).codes.tolist()


def test_an_entity_stays_on_its_side_when_others_come(bench: Bench) -> None:
    people = [f"p{number}" for number in range(200)]
    few = split(bench, a_model(entity="who"), who=("string", people[:100]))
    many = split(bench, a_model(entity="who"), who=("string", people))
    assert few.codes.tolist() == many.codes.tolist()[:100]


@pytest.mark.parametrize("key", [None, "key"])
def test_shares_are_near_to_what_was_asked(bench: Bench, key: str | None) -> None:
    columns = {"key": ("string", [f"k{number}" for number in range(10_000)])}
    parts = split(bench, a_model(split={"test": "30%"}, id=key), **columns)
    assert parts.count(TEST) == pytest.approx(3_000, abs=200)
    assert parts.count(VALIDATION) == pytest.approx(700, abs=100)


def test_by_row_the_id_decides_and_not_the_place(bench: Bench) -> None:
    keys = [f"k{number}" for number in range(100)]
    forward, backward = (split(bench, a_model(id="key"), key=("string", order)) for order in (keys, keys[::-1]))
    assert forward.codes.tolist() == backward.codes.tolist()[::-1]


def test_another_seed_is_another_split() -> None:
    first, second = (by_row_number(1_000, 0.2, seed) for seed in (7, 8))
    assert first.tolist() != second.tolist()


@pytest.mark.parametrize(
    ("training", "test", "said"),
    [
        pytest.param([1, 1], [0, 1], "the test part", id="one-test-row"),
        pytest.param([0, 0], [2, 2], "the training part", id="no-training-row"),
        pytest.param([1, 1], [2, 0], "the test part", id="one-class-in-test"),
        pytest.param([2, 0], [1, 1], "the training part", id="one-class-in-training"),
    ],
)
def test_a_part_of_which_nothing_can_be_learnt_is_refused(training: list[int], test: list[int], said: str) -> None:
    counts = np.zeros((5, 2), dtype=np.int64)
    counts[TRAINING], counts[TEST] = training, test
    with pytest.raises(DataError, match="expected at least") as caught:
        refuse_unlearnable(a_model(), counts, "noon")
    assert said in caught.value.place
    assert caught.value.fix


def test_a_validation_part_of_one_class_is_said() -> None:
    counts = np.array([[5, 5], [1, 0], [5, 5], [0, 0], [0, 0]])
    assert refuse_unlearnable(a_model(), counts, "noon") == ["the rows kept back for validation have 1 of the labels"]


def test_rows_that_all_miss_the_target_are_refused(bench: Bench) -> None:
    with pytest.raises(DataError, match="each of them misses a value") as caught:
        split(bench, a_model(), label=("category", [None, None]))
    assert caught.value.place == "columns label"
