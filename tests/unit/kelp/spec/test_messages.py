# SPDX-License-Identifier: Apache-2.0
"""What is said about a wrong field: its path, what was expected and what was found."""

import json
from typing import Any

import pytest

from kelp.errors import SpecError
from kelp.spec import model_from_values


def values(**spec: Any) -> dict[str, Any]:
    """The smallest useful spec, with more or other parts."""
    smallest = {"task": "binary", "data": {"source": "data://fraud/*.parquet", "target": "is_fraud"}}
    return {"apiVersion": "kelp.dev/v1alpha1", "kind": "Model", "metadata": {"name": "fraud"}, "spec": smallest | spec}


def problems_of(wrong: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(SpecError) as caught:
        model_from_values(wrong, "fraud.yaml")
    return caught.value.problems


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        pytest.param(
            {"confidence": 0.2},
            "confidence: expected a percentage from 0% to 100%, such as 20%, got 0.2",
            id="a fraction for a percent",
        ),
        pytest.param(
            {"monitor": {"retention": 24}},
            "monitor.retention: expected a whole number with a unit of ms, s, m, h or d, such as 24h, got 24",
            id="a number for a duration",
        ),
        pytest.param(
            {"monitor": {"retention": "7w"}},
            'monitor.retention: expected a whole number with a unit of ms, s, m, h or d, such as 24h, got "7w"',
            id="weeks",
        ),
        pytest.param(
            {"retrain": {"budget": {"per": "0d"}}},
            'retrain.budget.per: expected a duration of more than 0, got "0d"',
            id="no time at all",
        ),
        pytest.param(
            {"task": "clustering"},
            "task: expected 'binary', 'multiclass', 'regression', 'forecast' or 'text', got \"clustering\"",
            id="task",
        ),
        pytest.param({"train": {"seed": -1}}, "train.seed: expected a number >= 0, got -1", id="too small"),
        pytest.param(
            {"serve": {"rollout": {"steps": [5, 60]}}},
            "serve.rollout.steps[1]: expected a number <= 50, got 60",
            id="too large",
        ),
        pytest.param({"train": {"seed": 7.5}}, "train.seed: expected a whole number, got 7.5", id="half a seed"),
        pytest.param(
            {"train": {"seed": "7"}}, 'train.seed: expected a whole number, got "7"', id="a word for a number"
        ),
        pytest.param({"owner": 5}, "owner: expected text, got 5; put it in quotes", id="a number for text"),
        pytest.param({"owner": True}, "owner: expected text, got true; put it in quotes", id="true for text"),
        pytest.param({"gates": {"metric": "f1"}}, 'gates: expected a list, got {"metric": "f1"}', id="no list"),
        pytest.param({"train": []}, "train: expected a mapping, got []", id="no mapping"),
        pytest.param(
            {"train": {"params": {"eta": [1]}}},
            "train.params.eta: expected a number, a word, true or false, got [1]",
            id="a list for a parameter",
        ),
        pytest.param(
            {"train": {"resources": {"requests": {"cpu": "two"}}}},
            'train.resources.requests.cpu: expected a Kubernetes quantity, such as 500m or 4Gi, got "two"',
            id="quantity",
        ),
        pytest.param(
            {"retrain": {"timeZone": "CET DST"}},
            'retrain.timeZone: expected a name of the time zone database, such as UTC or Europe/Berlin, got "CET DST"',
            id="time zone",
        ),
        pytest.param(
            {"owner": "x" * 201}, f'owner: expected at most 200 characters, got "{"x" * 76}...', id="long text"
        ),
        pytest.param(
            {"gates": [{"metric": "f1", "atLeast": ".nan"}]},
            'gates[0].atLeast: expected a number, got ".nan"',
            id="not a number",
        ),
    ],
)
def test_a_wrong_field_is_named_with_what_was_expected_and_found(spec: dict[str, Any], problem: str) -> None:
    assert problems_of(values(**spec)) == (f"spec.{problem}",)


@pytest.mark.parametrize(
    ("field", "word"),
    [
        pytest.param("columnsClosed", "yes", id="yes"),
        pytest.param("columnsClosed", "on", id="on"),
        pytest.param("columnsClosed", 1, id="one"),
    ],
)
def test_only_true_and_false_are_true_and_false(field: str, word: object) -> None:
    (problem,) = problems_of(values(data={"source": "data://x", "target": "y", field: word}))
    assert problem == f"spec.data.{field}: expected true or false, got {json.dumps(word)}"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("../x", id="a path"),
        pytest.param("x" * 41, id="41 letters"),
        pytest.param("Fraud", id="upper case"),
        pytest.param("ﬁsch", id="unicode"),
        pytest.param("fraud\n", id="a newline at the end"),
        pytest.param("1st", id="a digit first"),
        pytest.param("fraud-", id="a hyphen last"),
        pytest.param("", id="nothing"),
        pytest.param("a.b", id="a dot"),
    ],
)
def test_a_hostile_name_is_refused(name: str) -> None:
    (problem,) = problems_of({**values(), "metadata": {"name": name}})
    assert problem.startswith("metadata.name: expected at most 40 lower-case letters, digits and hyphens")
    assert problem.endswith(json.dumps(name, ensure_ascii=False))


@pytest.mark.parametrize("name", ["a", "x" * 40, "on", "true", "fraud-2"])
def test_a_name_of_up_to_40_letters_is_taken(name: str) -> None:
    assert model_from_values({**values(), "metadata": {"name": name}}, "").name == name


@pytest.mark.parametrize(
    ("spec", "path", "hint"),
    [
        pytest.param({"trian": {}}, "spec.trian", "train", id="letters swapped"),
        pytest.param(
            {"data": {"source": "data://x", "target": "y", "max_bad_rows": "1%"}},
            "spec.data.max_bad_rows",
            "maxBadRows",
            id="snake case",
        ),
        pytest.param({"gates": [{"metric": "f1", "atleast": 0.5}]}, "spec.gates[0].atleast", "atLeast", id="in a list"),
        pytest.param({"legacy": {"colum": "x"}}, "spec.legacy.colum", "column", id="in an optional part"),
        pytest.param(
            {"data": {"source": "data://x", "target": "y", "columns": {"type": {"type": "int", "protect": True}}}},
            "spec.data.columns.type.protect",
            "protected",
            id="in a mapping of columns",
        ),
    ],
)
def test_an_unknown_field_is_refused_with_the_likely_one(spec: dict[str, Any], path: str, hint: str) -> None:
    assert problems_of(values(**spec)) == (f"{path}: unknown field; did you mean {hint}?",)


def test_an_unknown_field_like_no_other_is_refused_without_a_guess() -> None:
    assert problems_of(values(zzz=1)) == ("spec.zzz: unknown field",)


def test_every_wrong_field_is_reported_at_once() -> None:
    found = problems_of(
        {"apiVersion": "v1", "kind": "Model", "metadata": {"name": "X"}, "spec": {"task": "binary", "trian": {}}}
    )
    assert [line.split(":")[0] for line in found] == ["apiVersion", "metadata.name", "spec.data", "spec.trian"]
    assert "spec.data: expected a value, found nothing; this field is required" in found


def test_the_message_counts_and_lists_the_problems() -> None:
    with pytest.raises(SpecError) as caught:
        model_from_values(values(confidence="1", owner=3), "fraud.yaml")
    first, *rest = str(caught.value).splitlines()
    assert first == "fraud.yaml: 2 problems in the spec"
    assert [line.split(":")[0] for line in rest] == ["  spec.owner", "  spec.confidence"]
