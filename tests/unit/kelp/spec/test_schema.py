# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema that editors use says of a spec what the loader says."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from kelp.errors import SpecError
from kelp.spec import json_schema, model_from_values
from kelp.spec.yaml import parse

EXAMPLE = Path(__file__).parents[4] / "models" / "fraud.yaml"
VALIDATOR = Draft202012Validator(json_schema())


def values(**spec: Any) -> dict[str, Any]:
    whole = {"task": "binary", "data": {"source": "data://x", "target": "y"}, **spec}
    return {"apiVersion": "kelp.dev/v1alpha1", "kind": "Model", "metadata": {"name": "fraud"}, "spec": whole}


def loads(spec: dict[str, Any]) -> bool:
    try:
        model_from_values(spec, "")
    except SpecError:
        return False
    return True


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(json_schema())


def test_the_example_is_valid_and_a_typo_is_not() -> None:
    example = parse(EXAMPLE.read_bytes(), "")
    VALIDATOR.validate(example)
    example["spec"]["data"]["taget"] = example["spec"]["data"].pop("target")
    assert {error.validator for error in VALIDATOR.iter_errors(example)} == {"additionalProperties", "required"}


def test_every_default_is_one_that_could_be_written() -> None:
    properties = [item for part in json_schema()["$defs"].values() for item in part["properties"].values()]
    stated = [item for item in properties if "default" in item]
    assert len(stated) > 50
    for item in stated:
        Draft202012Validator({**item, "$defs": json_schema()["$defs"]}).validate(item["default"])


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"confidence": "95%"}, id="percent"),
        pytest.param({"confidence": "101%"}, id="too many percent"),
        pytest.param({"confidence": 0.95}, id="fraction"),
        pytest.param({"confidence": "99.9999999%"}, id="seven decimals"),
        pytest.param({"monitor": {"retention": "0d"}}, id="no time"),
        pytest.param({"monitor": {"retention": "7w"}}, id="weeks"),
        pytest.param({"monitor": {"retention": 7}}, id="a number"),
        pytest.param({"monitor": {"slo": {"latency": "0ms"}}}, id="no latency"),
        pytest.param({"monitor": {"slo": {"latency": "10ms"}}}, id="a latency"),
        pytest.param({"train": {"resources": {"requests": {"cpu": 2}}}}, id="cpu as a number"),
        pytest.param({"train": {"resources": {"requests": {"cpu": "500m"}}}}, id="cpu as text"),
        pytest.param({"train": {"resources": {"requests": {"cpu": "500 m"}}}}, id="cpu with a space"),
        pytest.param({"train": {"params": {"a": True, "b": 1, "c": "x"}}}, id="parameters"),
        pytest.param({"train": {"params": {"a": None}}}, id="no parameter"),
        pytest.param({"train": {"seed": "7"}}, id="a word for a number"),
        pytest.param({"data": {"source": "data://x", "target": "y", "columnsClosed": "yes"}}, id="yes"),
        pytest.param({"data": {"source": "data://x", "target": "y", "series": None}}, id="null"),
        pytest.param({"data": {"source": "data://x", "target": ""}}, id="an empty name"),
        pytest.param({"retrain": {"timeZone": "Europe/Berlin"}}, id="a time zone"),
        pytest.param({"retrain": {"timeZone": "Europe Berlin"}}, id="no time zone"),
    ],
)
def test_editor_and_loader_agree(spec: dict[str, Any]) -> None:
    assert VALIDATOR.is_valid(values(**spec)) == loads(values(**spec))


@pytest.mark.parametrize("name", ["fraud", "a", "x" * 40, "x" * 41, "Fraud", "../x", "a-", ""])
def test_editor_and_loader_agree_on_names(name: str) -> None:
    spec = {**values(), "metadata": {"name": name, "labels": {"team": "a"}}}
    assert VALIDATOR.is_valid(spec) == loads(spec)


@settings(deadline=None)
@given(st.text(alphabet="0123456789.%msh d", max_size=12))
def test_editor_and_loader_agree_on_durations_and_percents(text: str) -> None:
    for spec in (
        values(monitor={"retention": text}),
        values(data={"source": "data://x", "target": "y", "maxBadRows": text}),
    ):
        assert VALIDATOR.is_valid(spec) == loads(spec)
