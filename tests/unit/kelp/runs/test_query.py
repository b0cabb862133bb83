# SPDX-License-Identifier: Apache-2.0
import operator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelp.errors import InputError
from kelp.runs.facts import run_facts
from kelp.runs.outputs import Artifact
from kelp.runs.query import Filter, Flat, Query, flat_record, matches, parse_filter, select, trial_record
from tests.unit.kelp.runs.run_folders import MadeUp

A: Flat = {"run": "a", "model": "fraud", "state": "failed", "created": "2026-08-01T12:00:00Z", "seed": 7}
B: Flat = {
    "run": "b",
    "model": "fraud",
    "state": "succeeded",
    "created": "2026-08-03T12:00:00Z",
    "pr_auc": 0.7,
    "params.max_depth": 6,
    "params.fast": True,
}
C: Flat = {**B, "run": "c", "model": "churn", "created": "2026-08-02T12:00:00Z", "pr_auc": 0.8}
RECORDS = [A, B, C]


def chosen(**query: object) -> list[str]:
    return [str(RECORDS[position]["run"]) for position in select(RECORDS, Query(**query))]  # type: ignore[arg-type]


def where(*texts: str) -> list[str]:
    return chosen(where=tuple(map(parse_filter, texts)))


@pytest.mark.parametrize(
    ("text", "name", "sign", "value"),
    [
        ("pr_auc>=0.5", "pr_auc", ">=", "0.5"),
        (" pr_auc <= 0.5 ", "pr_auc", "<=", "0.5"),
        ("seed==7", "seed", "=", "7"),
        ("metrics.pr_auc>0", "pr_auc", ">", "0"),
        ("pr_auc.low!=1", "pr_auc.low", "!=", "1"),
        ("reason=a = b > c", "reason", "=", "a = b > c"),
        ("packages.ibis-framework=12.0.0", "packages.ibis-framework", "=", "12.0.0"),
    ],
)
def test_a_condition_is_name_operator_and_value(text: str, name: str, sign: str, value: str) -> None:
    assert parse_filter(text) == Filter(name, sign, value, text)


@pytest.mark.parametrize("text", ["", "pr_auc", "=3", "pr_auc>", "pr auc>3", "pr_auc ~ 3"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="expected a condition") as caught:
        parse_filter(text)
    assert "pr_auc>=0.5" in caught.value.fix


@given(st.text())
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    try:
        found = parse_filter(text)
    except InputError:
        return
    assert found.name
    assert found.value


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_numbers_are_compared_as_numbers(fact: float, limit: float) -> None:
    compare = {
        ">=": operator.ge,
        "<=": operator.le,
        "!=": operator.ne,
        "=": operator.eq,
        ">": operator.gt,
        "<": operator.lt,
    }
    for sign, expected in compare.items():
        assert matches(parse_filter(f"x{sign}{limit!r}"), {"x": fact}) is expected(fact, limit)


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        pytest.param(["pr_auc>0.7"], ["c"], id="a number"),
        pytest.param(["pr_auc!=0.7"], ["c"], id="what is not known is not unequal"),
        pytest.param(["pr_auc>=0.7", "model=fraud"], ["b"], id="both must hold"),
        pytest.param(["params.fast=True"], ["b", "c"], id="a boolean"),
        pytest.param(["params.max_depth=6.0"], ["b", "c"], id="an integer by a float"),
        pytest.param(["created>=2026-08-02"], ["b", "c"], id="a time"),
        pytest.param(["failure!=x"], [], id="a fact that no run has and every run may have"),
    ],
)
def test_conditions_choose(conditions: list[str], found: list[str]) -> None:
    assert where(*conditions) == found


@pytest.mark.parametrize("text", ["pr_auc>much", "pr_auc=nan", "params.fast=1"])
def test_a_value_of_another_type_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"expected (a number|true or false)"):
        where(text)


@pytest.mark.parametrize(
    ("name", "near"), [("prauc", "pr_auc"), ("max_depth", "params.max_depth"), ("depth", "params.max_depth")]
)
def test_an_unknown_name_brings_the_near_ones(name: str, near: str) -> None:
    with pytest.raises(InputError, match=f"no run has a fact named '{name}'") as caught:
        where(f"{name}>1")
    assert near in caught.value.fix
    with pytest.raises(InputError, match="no run has a fact named"):
        chosen(sort=f"-{name}")


def test_a_name_near_to_nothing_brings_all() -> None:
    with pytest.raises(InputError) as caught:
        where("zzz=1")
    assert "known are created, " in caught.value.fix
    assert select([], Query(where=(parse_filter("zzz=1"),))) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["a", "b", "c"]),
        ({"model": "fraud"}, ["a", "b"]),
        ({"state": "failed"}, ["a"]),
        ({"since": "2026-08-02T00:00:00Z"}, ["b", "c"]),
        ({"sort": "pr_auc"}, ["b", "c", "a"]),
        ({"sort": "-pr_auc"}, ["c", "b", "a"]),
        ({"sort": "-metrics.pr_auc", "limit": 1}, ["c"]),
        ({"sort": "-model"}, ["a", "b", "c"]),
        ({"limit": 2}, ["a", "b"]),
    ],
)
def test_choice_order_and_limit(query: dict[str, object], found: list[str]) -> None:
    assert chosen(**query) == found


def test_asked_facts_are_named_once_in_order() -> None:
    conditions = (parse_filter("pr_auc>0"), parse_filter("seed=7"))
    assert Query(where=conditions, sort="-pr_auc").names == ["pr_auc", "seed"]


def test_a_flat_record_leaves_out_what_is_not_known(tmp_path: Path) -> None:
    record = flat_record(run_facts(MadeUp(until="").write(tmp_path)), [Artifact("model.onnx", "x", "ab", None)])

    assert record["artifacts.model.onnx"] == "ab"
    assert record["seed"] == 7
    assert {"pr_auc", "version", "status", "failure", "artifacts.model.onnx.bytes"}.isdisjoint(record)
    assert None not in record.values()


def test_a_trial_has_its_own_parameters_and_those_of_its_run(tmp_path: Path) -> None:
    run = flat_record(run_facts(MadeUp().write(tmp_path)))
    record = trial_record(run, {"number": 3, "params": {"max_depth": 2}, "value": None, "state": "failed"})

    assert (record["trial"], record["trial.state"], record["params.max_depth"]) == (3, "failed", 2)
    assert (record["params.rounds"], record["model"]) == (200, "fraud")
    assert "trial.value" not in record
    assert trial_record(run, {"number": 1, "params": "no"})["params.max_depth"] == 6
