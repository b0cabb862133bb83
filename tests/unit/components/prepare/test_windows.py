# SPDX-License-Identifier: Apache-2.0
"""A window of a row of the matrix is what the server's history answers when the rows come one by one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kelp.errors import DataError, InputError
from kelp.frame.history import History
from kelp.frame.instances import instances_from_table
from kelp.frame.rows import columns_from_instances
from kelp.spec import Model
from tests.unit.components.ingest.factories import Bench, a_bench, a_model
from tests.unit.components.prepare.snapshots import Columns, Prepared, prepared_of

ROWS = 40
START = datetime(2024, 1, 1)
TAKES = {
    "amount": ("float", ("count", "sum", "mean", "min", "max", "distinct", "since")),
    "whole": ("int", ("sum", "mean", "min", "max", "distinct")),
    "open": ("bool", ("sum", "mean")),
    "word": ("category", ("count", "distinct", "since")),
    "when": ("timestamp", ("distinct", "since")),
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "float": st.floats(-1e30, 1e30, allow_nan=False) | st.sampled_from([0.1, -0.1, 1e-9, 0.5]),
    "int": st.integers(-(2**62), 2**62) | st.integers(-3, 3),
    "bool": st.booleans(),
    "category": st.sampled_from(["a", "b", "ä, 'x'", ""]),
    "timestamp": st.integers(0, 3).map(lambda day: START + timedelta(days=day)),
}


def a_rolling_model(*features: dict[str, Any], columns: dict[str, Any] | None = None, **data: Any) -> Model:
    model = a_model(time="at", columns=columns, **data)
    values = model.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    values["spec"]["features"] = list(features)
    return Model.model_validate(values)


def feature(take: str, over: str, by: str = "who", window: str = "10s") -> dict[str, Any]:
    return {"name": f"{by}.{over}.{take}.{window}", "over": over, "by": by, "window": window, "take": take}


FEATURES = [feature(take, over) for over, (_, takes) in TAKES.items() for take in takes]
FEATURES += [feature("mean", "amount", "shop", "3s"), feature("mean", "amount", "who", "3s")]


@st.composite
def tables(draw: st.DrawFn) -> Columns:
    seconds = draw(st.lists(st.integers(0, 30) | st.just(15), min_size=ROWS, max_size=ROWS))
    who = st.none() | st.sampled_from(["ada", "bob", 'a "quoted" one', ""])
    columns: dict[str, tuple[str, Sequence[Any]]] = {
        "label": ("category", ["yes", "no"] * (ROWS // 2)),
        "at": ("timestamp", [START + timedelta(seconds=second) for second in seconds]),
        "who": ("string", draw(st.lists(who, min_size=ROWS, max_size=ROWS))),
        "shop": ("int", draw(st.lists(st.none() | st.integers(-2, 2), min_size=ROWS, max_size=ROWS))),
    }
    for name, (kind, _) in TAKES.items():
        columns[name] = (kind, draw(st.lists(st.none() | VALUES[kind], min_size=ROWS, max_size=ROWS)))
    return columns


@pytest.mark.parametrize("privacy", ["none", "pseudonymise"])
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(columns=tables(), chosen=st.lists(st.sampled_from(FEATURES), min_size=1, max_size=5, unique_by=str))
def test_replaying_the_rows_one_by_one_gives_the_matrix(
    tmp_path_factory: Any, columns: Columns, chosen: list[dict[str, Any]], privacy: str
) -> None:
    root: Path = tmp_path_factory.mktemp("replay")
    model = a_rolling_model(
        *chosen,
        columns={"who": {"type": "string", "privacy": privacy}},
        split={"by": "row"},
    )
    prepared = prepared_of(a_bench(root), model, columns)
    history = replayed(prepared, ("test_rows", "reference"))
    for part in ("test", "train"):
        rows = prepared.table("test_rows" if part == "test" else "reference")
        expected = prepared.table(part)
        for row, answers in enumerate(history[id_of(part)]):
            raw = columns_from_instances(
                prepared.transform, instances_from_table(prepared.transform, rows.slice(row, 1))
            )
            online = prepared.transform.apply({**raw, **answers})[0]
            wanted = [expected.column(f.name)[row].as_py() for f in prepared.transform.features]
            np.testing.assert_array_equal(online, np.array(wanted, dtype=np.float32))


def id_of(part: str) -> str:
    return "test_rows" if part == "test" else "reference"


def replayed(prepared: Prepared, names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Each row's windows as a history answers them that is sent all rows, one by one, in the order of time."""
    transform = prepared.transform
    tables = {name: prepared.table(name) for name in names}
    order = sorted(
        (time, name, row) for name in names for row, time in enumerate(tables[name].column("at").to_pylist())
    )
    found: dict[str, list[Any]] = {name: [None] * tables[name].num_rows for name in names}
    history = History(transform)
    for _, name, row in order:
        raw = columns_from_instances(transform, instances_from_table(transform, tables[name].slice(row, 1)))
        found[name][row] = history.answer(raw, 1)
    return found


def events(**columns: tuple[str, Sequence[Any]]) -> Columns:
    return {
        "at": ("timestamp", [START + timedelta(hours=hour) for hour in range(100)]),
        "label": ("category", ["yes", "no"] * 50),
        "amount": ("float", [float(hour) for hour in range(100)]),
        **columns,
    }


def test_a_server_goes_on_where_the_snapshot_ends(bench: Bench) -> None:
    who = ["ada", "bob", "cy", None] * 25
    model = a_rolling_model(
        feature("mean", "amount", window="12h"),
        feature("distinct", "who", "shop", "30h"),
        columns={"who": {"type": "string", "privacy": "pseudonymise"}},
    )
    columns = events(who=("string", who), shop=("int", [hour % 2 for hour in range(100)]))
    prepared = prepared_of(bench, model, columns)
    table = prepared.table("history")
    assert table.num_rows == sum(who[hour] is not None for hour in [*range(86, 99), *range(68, 99)])
    assert table.to_pylist() == sorted(
        table.to_pylist(),
        key=lambda r: (r["by"], r["over"], r["entity"], r["time_us"], r["number"] or 0, r["text"] or ""),
    )
    assert "ada" not in str(table.to_pylist())
    history = History.from_table(prepared.transform, table)
    known = prepared.table("test_rows").slice(16, 1)  # of ada
    raw = columns_from_instances(prepared.transform, instances_from_table(prepared.transform, known))
    raw["at"] = raw["at"] + 4 * 3600
    answers = history.answer(raw, 1)
    assert answers["who.amount.mean.12h"][0] == (88 + 92 + 96) / 3
    assert answers["shop.who.distinct.30h"][0] == 2


def test_a_row_sees_neither_itself_nor_its_instant_nor_what_lies_before_the_window(bench: Bench) -> None:
    hours = [*range(98), 98, 98]
    columns = events(at=("timestamp", [START + timedelta(hours=hour) for hour in hours]), who=("string", ["ada"] * 100))
    model = a_rolling_model(feature("count", "amount", window="3h"), feature("since", "amount", window="3h"))
    prepared = prepared_of(bench, model, columns)
    assert prepared.column("test_rows", "who.amount.count.3h")[-3:] == [3, 3, 3]
    assert prepared.column("test", "who.amount.since.3h")[-3:] == [3600, 3600, 3600]
    assert prepared.column("train", "who.amount.since.3h")[0] == 3 * 3600  # of nothing: the whole window


def test_a_sum_over_words_is_refused(bench: Bench) -> None:
    model = a_rolling_model(feature("sum", "word"))
    columns = events(who=("string", ["ada"] * 100), word=("category", ["a"] * 100))
    with pytest.raises(DataError, match="expected numbers to take the sum of, found category") as caught:
        prepared_of(bench, model, columns)
    assert caught.value.place == "spec.features[0].over: column word"


@pytest.mark.parametrize("absent", ["who", "amount", "at"])
def test_a_column_of_a_window_that_is_absent_is_refused(bench: Bench, absent: str) -> None:
    columns = {k: v for k, v in events(who=("string", ["ada"] * 100)).items() if k != absent}
    with pytest.raises(InputError, match=f"expected a column '{absent}'"):
        prepared_of(bench, a_rolling_model(feature("sum", "amount")), columns)


def test_an_entity_with_more_events_than_a_server_keeps_is_said(bench: Bench) -> None:
    rows = 10_100
    columns: Columns = {
        "at": ("timestamp", [START + timedelta(seconds=second) for second in range(rows)]),
        "label": ("category", ["yes", "no"] * (rows // 2)),
        "who": ("string", ["busy"] * rows),
        "amount": ("float", [1.0, 2.0] * (rows // 2)),
    }
    loud = prepared_of(bench, a_rolling_model(feature("count", "amount", window="9h")), columns, "loud")
    assert [text for text in loud.summary["warnings"] if "1 have more than 10,000 events" in text]
    calm = prepared_of(bench, a_rolling_model(feature("count", "amount", window="1h")), columns, "calm")
    assert calm.summary["warnings"] == []
