# SPDX-License-Identifier: Apache-2.0
"""What prepare refuses, and how it says so."""

from typing import Any

import pytest

from kelp.errors import DataError, InputError
from tests.unit.components.ingest.factories import Bench, a_model
from tests.unit.components.prepare.snapshots import Columns, prepared_of
from tests.unit.components.prepare.test_prepare import DAYS, ROWS, a_table, one


def test_rows_that_all_have_a_gap_are_refused(bench: Bench) -> None:
    with pytest.raises(DataError, match="each of them misses a value") as caught:
        one(bench, "float", [None] * ROWS, {"missing": "drop"})
    assert caught.value.place == "columns x"
    assert caught.value.fix


@pytest.mark.parametrize(
    ("task", "kind", "labels", "said"),
    [
        pytest.param("binary", "category", ["yes"], "at least two labels, found only ['yes']", id="one-label"),
        pytest.param("binary", "category", ["a", "b", "c"], "expected two labels, found 3", id="three-labels"),
        pytest.param("multiclass", "category", ["a"], "at least two labels", id="one-class"),
        pytest.param("regression", "category", ["1", "2"], "expected numbers for a regression", id="words"),
        pytest.param("regression", "bool", [True, False], "expected numbers for a regression", id="bools"),
    ],
)
def test_a_target_that_does_not_fit_the_task_is_refused(
    bench: Bench, task: str, kind: str, labels: list[Any], said: str
) -> None:
    columns: Columns = {"x": ("float", [1.0] * 60), "label": (kind, (labels * 60)[:60])}
    with pytest.raises(DataError) as caught:
        prepared_of(bench, a_model(task=task), columns)
    assert said in caught.value.message
    assert caught.value.place == "column label"
    assert caught.value.fix


def test_a_positive_label_that_no_row_has_is_refused(bench: Bench) -> None:
    columns: Columns = {"x": ("float", [1.0] * ROWS), "label": ("category", ["Yes", "No"] * 50)}
    with pytest.raises(DataError, match="expected the positive label 'yes'") as caught:
        prepared_of(bench, a_model(positive="yes"), columns)
    assert "spec.data.positive" in caught.value.fix


@pytest.mark.parametrize(
    ("labels", "part"),
    [
        pytest.param(["yes", "no"] * 40 + ["no"] * 20, "the test part", id="one-class-in-test"),
        pytest.param(["no"] * 80 + ["yes", "no"] * 10, "the training part", id="one-class-in-training"),
    ],
)
def test_one_class_in_a_part_is_refused(bench: Bench, labels: list[str], part: str) -> None:
    columns: Columns = {"at": ("timestamp", DAYS), "x": ("float", [1.0] * ROWS), "label": ("category", labels)}
    with pytest.raises(DataError, match="at least two labels, found one") as caught:
        prepared_of(bench, a_model(time="at"), columns)
    assert part in caught.value.place


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_too_few_rows_are_refused(bench: Bench, rows: int) -> None:
    columns: Columns = {
        "at": ("timestamp", DAYS[:rows]),
        "x": ("float", [1.0] * rows),
        "label": ("category", ["yes", "no", "yes"][:rows]),
    }
    with pytest.raises(DataError, match="expected at least"):
        prepared_of(bench, a_model(time="at"), columns)


def test_nothing_to_learn_from_is_refused(bench: Bench) -> None:
    with pytest.raises(DataError, match="at least one column to learn from") as caught:
        prepared_of(bench, a_model(time="at"), a_table(note=("string", ["x"] * ROWS)))
    assert "feature: true" in caught.value.fix


@pytest.mark.parametrize("name", ["__target", "__group:band", "__legacy"])
def test_a_column_cannot_take_the_name_of_one_of_ours(bench: Bench, name: str) -> None:
    with pytest.raises(DataError, match="found '__") as caught:
        prepared_of(bench, a_model(time="at"), a_table(**{name: ("float", [1.0] * ROWS)}))
    assert caught.value.fix == "rename the column in the data"


def test_two_columns_cannot_become_one_feature(bench: Bench) -> None:
    columns: Columns = {**a_table(x=("timestamp", DAYS)), "x.hour": ("float", [1.0] * ROWS)}
    with pytest.raises(DataError, match=r"found 'x\.hour'"):
        prepared_of(bench, a_model(time="at"), columns)


def test_a_legacy_score_is_a_number(bench: Bench) -> None:
    columns = a_table(x=("float", [1.0] * ROWS), old=("category", ["high"] * ROWS))
    with pytest.raises(InputError, match="expected numbers of the legacy system") as caught:
        prepared_of(bench, a_model(time="at", legacy="old"), columns)
    assert "spec.data.columns" in caught.value.fix
