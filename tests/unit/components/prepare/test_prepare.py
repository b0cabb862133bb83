# SPDX-License-Identifier: Apache-2.0
"""The whole step: what is fitted on what, what the matrices hold, and what is refused."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from components.prepare import prepare
from tests.unit.components.ingest.factories import Bench, a_model, json_of
from tests.unit.components.prepare.snapshots import Columns, Prepared, prepared_of, write_snapshot

ROWS = 100
TRAINING = 80  # by time: the first 80 rows
DAYS = [datetime(2024, 1, 1) + timedelta(days=number) for number in range(ROWS)]
LABELS = ["yes", "no", "no", "yes", "no"] * 20


def a_table(**columns: tuple[str, Sequence[Any]]) -> Columns:
    return {"at": ("timestamp", DAYS), "label": ("category", LABELS), **columns}


def one(bench: Bench, kind: str, values: Sequence[Any], declared: dict[str, Any] | None = None) -> Prepared:
    """Prepare a table with the one column `x`; its first 80 rows are the training part."""
    columns = {"x": {"type": kind, **declared}} if declared is not None else {}
    return prepared_of(bench, a_model(time="at", columns=columns), a_table(x=(kind, values)))


def padded(training: Sequence[Any], test: Any) -> list[Any]:
    """Values that repeat in the training part; the test part holds another one."""
    return [training[number % len(training)] for number in range(TRAINING)] + [test] * (ROWS - TRAINING)


@pytest.mark.parametrize(
    ("kind", "rule", "training", "fill"),
    [
        pytest.param("float", {}, [1.0, 2.0, 10.0, None], 2.0, id="median-is-the-default"),
        pytest.param("float", {"missing": "median"}, [1.0, 2.0, 4.0, 10.0], 3.0, id="median"),
        pytest.param("float", {"missing": "mean"}, [0.1, 0.2, 0.3, None], 0.2, id="mean"),
        pytest.param("int", {"missing": "mode"}, [5, 5, 7, None], 5.0, id="mode"),
        pytest.param("int", {"missing": "mode"}, [7, 5], 5.0, id="mode-of-a-tie-is-the-least"),
        pytest.param("int", {"missing": "constant", "fill": -1}, [5, 5, 7, None], -1.0, id="constant"),
        pytest.param("bool", {}, [True, True, False, None], 1.0, id="bool-mode"),
        pytest.param("bool", {"missing": "constant", "fill": False}, [True, None], 0.0, id="bool-constant"),
    ],
)
def test_a_missing_number_becomes_what_the_rule_says(
    bench: Bench, kind: str, rule: dict[str, Any], training: Sequence[Any], fill: float
) -> None:
    prepared = one(bench, kind, padded(training, None), rule)
    assert prepared.feature("x").fill == pytest.approx(fill, abs=1e-15)
    assert prepared.column("test", "x") == [np.float32(fill)] * 20


@pytest.mark.parametrize(
    ("rule", "training", "categories", "fill"),
    [
        pytest.param({}, ["b", "a", "b", None], ("b", "a"), 0.0, id="other-is-the-default"),
        pytest.param({"missing": "other"}, ["b", "a", "b", None], ("b", "a"), 0.0, id="other"),
        pytest.param({"missing": "mode"}, ["b", "a", "b", None], ("b", "a"), 1.0, id="mode"),
        pytest.param({"missing": "constant", "fill": "a"}, ["b", "a", "b", None], ("b", "a"), 2.0, id="constant"),
        pytest.param(
            {"missing": "constant", "fill": "none"}, ["b", "a", "b"], ("b", "a", "none"), 3.0, id="constant-unseen"
        ),
        pytest.param({}, ["x\0", "x"], ("x", "x\0"), 0.0, id="names-that-differ-in-a-nul"),
        pytest.param({}, ["b", "a"], ("a", "b"), 0.0, id="ties-by-name"),
    ],
)
def test_a_missing_category_becomes_what_the_rule_says(
    bench: Bench, rule: dict[str, Any], training: Sequence[Any], categories: tuple[str, ...], fill: float
) -> None:
    prepared = one(bench, "category", padded(training, None), rule)
    assert prepared.feature("x").categories == categories
    assert prepared.feature("x").fill == fill
    assert prepared.column("test", "x") == [fill] * 20


def test_a_missing_timestamp_has_parts_of_its_own(bench: Bench) -> None:
    prepared = one(bench, "timestamp", padded([datetime(2024, 5, 1, 13)], None))
    parts = ("hour", "weekday", "day", "month")
    assert [prepared.column("train", f"x.{part}")[0] for part in parts] == [13, 2, 1, 5]
    assert [prepared.column("test", f"x.{part}")[0] for part in parts] == [-1, -1, -1, -1]


@pytest.mark.parametrize("kind", ["float", "category", "timestamp"])
def test_rows_with_a_gap_can_be_left_out(bench: Bench, kind: str) -> None:
    value = {"float": 1.5, "category": "a", "timestamp": DAYS[0]}[kind]
    prepared = one(bench, kind, [None, value] * 50, {"missing": "drop"})
    assert sum(prepared.summary["rows"].values()) == 50
    assert [column.nullable for column in prepared.transform.columns] == [False]


def test_the_test_part_teaches_the_transform_nothing(bench: Bench) -> None:
    def table(poison: bool) -> Columns:
        rows = range(ROWS)
        is_poisoned = [poison and row >= TRAINING for row in rows]
        return a_table(
            number=("float", [1e30 if bad else row / 7 for row, bad in zip(rows, is_poisoned, strict=True)]),
            whole=("int", [None if bad else row % 5 for row, bad in zip(rows, is_poisoned, strict=True)]),
            word=("category", ["poison" if bad else f"w{row % 3}" for row, bad in zip(rows, is_poisoned, strict=True)]),
            open=("bool", [None if bad else row % 3 == 0 for row, bad in zip(rows, is_poisoned, strict=True)]),
        )

    model = a_model(
        time="at",
        columns={
            "number": {"type": "float", "missing": "mean"},
            "whole": {"type": "int", "missing": "median"},
            "word": {"type": "category", "missing": "mode"},
            "open": {"type": "bool"},
        },
    )
    clean, poisoned = (prepared_of(bench, model, table(poison), f"{poison}") for poison in (False, True))
    for name in ("transform.json", "train.parquet", "reference.parquet"):
        assert (clean.folder / name).read_bytes() == (poisoned.folder / name).read_bytes()
    assert clean.summary["digest"] != poisoned.summary["digest"]


def test_a_category_only_in_the_test_part_is_other(bench: Bench) -> None:
    prepared = one(bench, "category", padded(["a", "b"], "new"))
    assert set(prepared.column("test", "x")) == {0.0}
    assert set(prepared.column("test_rows", "x")) == {"new"}


def test_beyond_255_categories_the_rare_ones_are_other(bench: Bench) -> None:
    columns: Columns = {
        "x": ("category", ["often"] * 5_000 + [f"c{number:05}" for number in range(10_000)]),
        "label": ("category", ["yes", "no", "no"] * 5_000),
    }
    prepared = prepared_of(bench, a_model(), columns)
    categories = prepared.feature("x").categories
    assert len(categories) == 255
    assert categories[0] == "often"
    assert list(categories[1:]) == sorted(categories[1:])
    assert set(prepared.column("train", "x")) == set(map(float, range(256)))


@pytest.mark.parametrize(
    ("kind", "value"),
    [pytest.param("float", 3.5, id="number"), pytest.param("category", "a", id="word")],
)
def test_a_constant_column_is_said_and_kept(
    bench: Bench, kind: str, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    prepared = one(bench, kind, [value] * ROWS)
    assert len(set(prepared.column("train", "x"))) == 1
    assert prepared.summary["warnings"] == [f"column x: every value of the training part is {value!r}"]
    assert [record.getMessage() for record in caplog.records] == prepared.summary["warnings"]


@pytest.mark.parametrize("kind", ["float", "int", "bool", "category", "timestamp", "text"])
def test_a_column_without_any_value_in_the_training_part_is_left_out(bench: Bench, kind: str) -> None:
    value = {"timestamp": DAYS[0], "category": "a", "text": "a", "bool": True}.get(kind, 1)
    columns = a_table(x=(kind, [None] * TRAINING + [value] * 20), y=("float", [1.5, 2.5] * 50))
    prepared = prepared_of(bench, a_model(time="at"), columns)
    assert prepared.summary["features"] == ["y"]
    assert [column.name for column in prepared.transform.columns] == ["y"]
    assert prepared.summary["warnings"] == ["column x: the training part has no value to learn from, it is left out"]


def test_what_is_a_feature(bench: Bench) -> None:
    kinds = {
        "number": "float",
        "whole": "int",
        "open": "bool",
        "word": "category",
        "when": "timestamp",
        "note": "string",
        "key": "string",
        "who": "string",
        "old": "float",
        "unwanted": "float",
        "wanted": "string",
    }
    values: dict[str, Sequence[Any]] = {"float": [1.5], "int": [1], "bool": [True], "timestamp": DAYS[:1]}
    columns = {name: (kind, list(values.get(kind, ["a"])) * ROWS) for name, kind in kinds.items()}
    columns["key"] = ("string", [str(number) for number in range(ROWS)])
    declared = {
        "unwanted": {"type": "float", "feature": False},
        "wanted": {"type": "string", "feature": True},
    }
    model = a_model(time="at", id="key", entity="who", legacy="old", columns=declared)
    prepared = prepared_of(bench, model, a_table(**columns))
    parts = ["when.hour", "when.weekday", "when.day", "when.month"]
    assert prepared.summary["features"] == ["number", "whole", "open", "word", *parts, "wanted"]
    assert prepared.summary["dropped"] == ["at", "key", "label", "note", "old", "unwanted", "who"]
    assert prepared.table("test_rows").column_names == ["number", "whole", "open", "word", "when", "wanted"]
    names = [*prepared.summary["features"], "__target", "__validation", "__legacy", "__entity"]
    assert prepared.table("train").column_names == names
    assert prepared.table("test").column_names == [name for name in names if name != "__validation"]


def test_protected_groups_and_the_legacy_score_go_along_with_their_rows(bench: Bench) -> None:
    bands = [None if number % 10 == 0 else f"band {number % 3}" for number in range(ROWS)]
    scores = [None if number % 7 == 0 else number / 100 for number in range(ROWS)]
    columns = a_table(
        x=("float", [float(number) for number in range(ROWS)]),
        band=("category", bands),
        adult=("bool", [number % 2 == 0 for number in range(ROWS)]),
        old=("float", scores),
    )
    declared = {
        "band": {"type": "category", "protected": True, "feature": False},
        "adult": {"type": "bool", "protected": True},
    }
    prepared = prepared_of(bench, a_model(time="at", legacy="old", columns=declared), columns)
    assert prepared.summary["features"] == ["x", "adult"]
    for part, rows in (("train", slice(0, TRAINING)), ("test", slice(TRAINING, ROWS))):
        assert prepared.column(part, "__group:band") == bands[rows]
        assert prepared.column(part, "__group:adult") == ["true", "false"] * (len(bands[rows]) // 2)
        assert prepared.column(part, "__legacy") == scores[rows]
        assert prepared.column(part, "x") == [float(number) for number in range(ROWS)][rows]


@pytest.mark.parametrize(
    ("kind", "labels", "positive", "classes"),
    [
        pytest.param("category", ["yes", "no"], None, ["no", "yes"], id="the-last-is-positive"),
        pytest.param("category", ["yes", "no"], "no", ["yes", "no"], id="declared-positive"),
        pytest.param("bool", [True, False], "true", ["false", "true"], id="bool"),
        pytest.param("int", [1, 0], "1", ["0", "1"], id="int"),
    ],
)
def test_a_binary_target_is_negative_then_positive(
    bench: Bench, kind: str, labels: list[Any], positive: str | None, classes: list[str]
) -> None:
    columns: Columns = {"x": ("float", [1.0] * ROWS), "label": (kind, labels * 50)}
    prepared = prepared_of(bench, a_model(columns={"label": {"type": kind}}, positive=positive), columns)
    assert prepared.summary["classes"] == classes
    as_text = [str(label).lower() for label in labels * 50]
    counted = sum(text == classes[1] for text in as_text)
    found = prepared.column("train", "__target") + prepared.column("test", "__target")
    assert sum(found) == counted


def test_a_multiclass_target_is_the_place_among_the_sorted_labels(bench: Bench) -> None:
    columns: Columns = {"x": ("float", [1.0] * ROWS), "label": ("category", ["none", "high", "low", "low"] * 25)}
    prepared = prepared_of(bench, a_model(task="multiclass"), columns)
    assert prepared.transform.classes == ("high", "low", "none")
    assert set(prepared.column("train", "__target")) == {0, 1, 2}


def test_the_target_of_a_regression_is_its_value(bench: Bench) -> None:
    values = [number / 3 for number in range(ROWS)]
    columns: Columns = {"at": ("timestamp", DAYS), "x": ("float", values), "label": ("float", values)}
    prepared = prepared_of(bench, a_model(task="regression", time="at"), columns)
    assert prepared.column("train", "__target") == values[:TRAINING]


def test_the_reference_is_a_sample_of_training_rows_in_their_order(bench: Bench) -> None:
    columns: Columns = {
        "x": ("int", list(range(20_000))),
        "label": ("category", ["yes", "no", "no"] * 6_666 + ["no", "yes"]),
    }
    prepared = prepared_of(bench, a_model(), columns)
    sample = prepared.column("reference", "x")
    assert len(sample) == 5_000
    assert sample == sorted(set(sample))
    assert set(sample) <= set(prepared.column("train", "x"))


def test_the_same_snapshot_gives_the_same_bytes(bench: Bench) -> None:
    columns = a_table(x=("float", [number / 7 for number in range(ROWS)]), word=("category", list("abcde") * 20))
    first, second = (prepared_of(bench, a_model(time="at"), columns, name) for name in ("first", "second"))
    assert first.summary == second.summary == json_of(first.folder / "prepare.json")
    for path in first.folder.iterdir():
        assert path.read_bytes() == (second.folder / path.name).read_bytes()


def test_hostile_column_names_are_only_names(bench: Bench) -> None:
    names = ["it's", 'say "hi"', "x; --", "größe 📏", "Amount", "amount", "a\nb"]
    prepared = prepared_of(bench, a_model(time="at"), a_table(**{name: ("float", [1.0] * ROWS) for name in names}))
    assert prepared.summary["features"] == names


def test_progress_counts_rows_up_to_all(bench: Bench) -> None:
    seen: list[tuple[int, int | None]] = []
    model, columns = a_model(time="at"), a_table(x=("float", [1.0, 2.0] * 50))
    snapshot = write_snapshot(bench.root / "snapshot", columns)
    prepare(model, bench.home, snapshot, bench.folder("prepared"), progress=lambda *done: seen.append(done))
    assert seen == [(0, None), (ROWS, ROWS)]


def test_the_entity_goes_along_with_its_rows(bench: Bench) -> None:
    who = [f"p{number}" for number in range(ROWS)]
    prepared = prepared_of(
        bench, a_model(time="at", entity="who"), a_table(x=("float", [1.0, 2.0] * 50), who=("string", who))
    )
    assert prepared.column("train", "__entity") == who[:TRAINING]
    assert prepared.column("test", "__entity") == who[TRAINING:]


def test_nothing_but_the_outputs_is_left_behind(bench: Bench) -> None:
    before = {path.name for path in bench.root.iterdir()}
    prepared = prepared_of(bench, a_model(time="at"), a_table(x=("float", [1.0, 2.0] * 50)))
    assert {path.name for path in bench.root.iterdir()} - before == {"prepared", "prepared-snapshot"}
    matrices = {f"{name}.parquet" for name in ("train", "test", "test_rows", "reference")}
    assert {path.name for path in prepared.folder.iterdir()} == matrices | {"transform.json", "prepare.json"}
