# SPDX-License-Identifier: Apache-2.0
"""From a file to a Model: what loads, what its JSON is, and what is said about what does not load."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kelp.errors import NotBuiltYet, NotFound, SpecError
from kelp.spec import load_model, model_from_json, model_from_values, refuse_unbuilt

# Every field there is, as the design shows it.
WHOLE = """\
apiVersion: kelp.dev/v1alpha1
kind: Model
metadata: {name: fraud, labels: {domain: finance}}
spec:
  owner: payments-risk
  purpose: Flag card payments for review before they settle.
  task: binary
  data:
    source: data://fraud/*.parquet
    target: is_fraud
    positive: "true"
    id: payment_id
    time: event_time
    entity: customer_id
    split: {by: time, test: 20%, gap: 0d}
    series: null
    engine: duckdb
    maxBadRows: 1%
    retention: 365d
    columns:
      customer_id: {type: string, privacy: pseudonymise}
      email:       {type: string, privacy: drop}
      amount:      {type: float, min: 0, missing: median}
      merchant:    {type: category, missing: other}
      age_band:    {type: category, protected: true, feature: false}
  features:
    - {name: amount_24h, over: amount, by: customer_id, window: 24h, take: mean}
  train:
    trainer: xgboost
    params: {max_depth: 6}
    search: {trials: 20, timeLimit: 5m}
    seed: 7
    nodes: 1
    resources: {requests: {cpu: "2", memory: 4Gi}, limits: {}}
    nodeSelector: {}
    tolerations: []
  gates:
    - {metric: pr_auc, atLeast: 0.5}
    - {metric: pr_auc, notWorseThan: champion, by: 0.02}
    - {metric: recall, gapAcross: age_band, atMost: 0.2}
  confidence: 95%
  undecided: fail
  legacy: {column: old_score}
  fairness: {mitigate: none}
  serve:
    replicas: 1
    resources: {}
    verify: if-present
    rollout:
      shadow: 0m
      steps: [5, 25, 50]
      timeLimit: 60m
      atTimeLimit: hold
      notWorseBy: {errors: 1%, slow: 1%}
      slow: 50ms
  monitor:
    window: 1000
    maxWindowsPerDay: 96
    drift: {falseAlarmsPerYear: 1, confirm: alibi}
    groundTruth: {within: 7d, metric: pr_auc, drop: 0.05}
    slo: {availability: 99.9%, latency: 50ms, latencyShare: 99%}
    retention: 90d
  retrain:
    schedule: "0 3 * * 1"
    timeZone: UTC
    triggers: [drift, performance]
    cooldown: 24h
    budget: {runs: 3, per: 7d}
    approval: none
"""

SMALLEST = """\
apiVersion: kelp.dev/v1alpha1
kind: Model
metadata: {name: churn}
spec:
  task: regression
  data: {source: data://churn.csv, target: months}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "model.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def values(**spec: Any) -> dict[str, Any]:
    """The smallest useful spec, with more or other parts."""
    smallest = {"task": "binary", "data": {"source": "data://fraud/*.parquet", "target": "is_fraud"}}
    return {"apiVersion": "kelp.dev/v1alpha1", "kind": "Model", "metadata": {"name": "fraud"}, "spec": smallest | spec}


def test_the_whole_example_loads_in_the_types_that_python_has(tmp_path: Path) -> None:
    model = load_model(written(tmp_path, WHOLE))
    spec = model.spec
    assert (model.name, model.metadata.labels) == ("fraud", {"domain": "finance"})
    assert (spec.data.split.test, spec.data.max_bad_rows) == (0.2, 0.01)
    assert (spec.data.split.gap, spec.features[0].window) == (timedelta(), timedelta(days=1))
    assert spec.data.columns["age_band"].protected
    assert [gate.gap_across for gate in spec.gates] == [None, None, "age_band"]
    assert spec.serve.rollout.steps == (5, 25, 50)
    assert spec.train.resources.requests == {"cpu": "2", "memory": "4Gi"}
    assert spec.retrain.schedule == "0 3 * * 1"


def test_the_smallest_useful_spec_loads(tmp_path: Path) -> None:
    model = load_model(written(tmp_path, SMALLEST))
    assert (model.spec.task, model.spec.data.target, model.spec.data.split_by) == ("regression", "months", "row")


@pytest.mark.parametrize("text", [pytest.param(WHOLE, id="whole"), pytest.param(SMALLEST, id="smallest")])
def test_the_json_of_a_model_loads_as_an_equal_model(tmp_path: Path, text: str) -> None:
    model = load_model(written(tmp_path, text))
    again = model_from_json(model.to_json())
    assert again == model
    assert (again.to_json(), again.digest) == (model.to_json(), model.digest)


def test_the_digest_does_not_depend_on_the_order_of_fields() -> None:
    def backwards(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: backwards(value[key]) for key in reversed(value)}
        return value

    columns = {"a": {"type": "float", "min": 1}, "b": {"type": "category"}}
    one = values(data={"source": "data://x", "target": "y", "columns": columns}, train={"params": {"eta": 1, "z": 2}})
    assert model_from_values(backwards(one), "").digest == model_from_values(one, "").digest


def test_writing_the_defaults_out_changes_no_digest() -> None:
    model = model_from_values(values(), "")
    assert model_from_values(json.loads(model.to_json()), "").digest == model.digest


def test_another_value_is_another_digest() -> None:
    assert model_from_values(values(train={"seed": 8}), "").digest != model_from_values(values(), "").digest


@pytest.mark.parametrize(
    ("declared", "by"),
    [
        pytest.param({}, "row", id="nothing declared"),
        pytest.param({"entity": "e"}, "entity", id="entity"),
        pytest.param({"entity": "e", "time": "t"}, "time", id="entity and time"),
        pytest.param({"entity": "e", "time": "t", "split": {"by": "row"}}, "row", id="as declared"),
    ],
)
def test_the_split_follows_what_the_data_has(declared: dict[str, Any], by: str) -> None:
    data = {"source": "data://x", "target": "y", **declared}
    assert model_from_values(values(data=data), "").spec.data.split_by == by


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        load_model(tmp_path / "none.yaml")
    assert "kelp init" in caught.value.fix


def test_a_folder_is_no_spec(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="Is a directory"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("{", id="cut off"),
        pytest.param("[]", id="a list"),
        pytest.param("3", id="a number"),
        pytest.param("[" * 100_000, id="deep"),
        pytest.param('{"a": 1e999}', id="infinity"),
        pytest.param(f'{{"a": {"9" * 5000}}}', id="5000 digits"),
        pytest.param('{"spec": "\\ud800"}', id="half a character"),
    ],
)
def test_json_that_is_no_spec_is_refused(text: str) -> None:
    with pytest.raises(SpecError):
        model_from_json(text)


def test_what_is_not_built_yet_loads_and_is_refused_to_run(tmp_path: Path) -> None:
    model = load_model(written(tmp_path, WHOLE))
    with pytest.raises(NotBuiltYet) as caught:
        refuse_unbuilt(model, "fraud.yaml")
    expected = "spec.monitor.groundTruth, spec.retrain.schedule, spec.retrain.triggers"
    assert str(caught.value) == f"fraud.yaml: not built yet: {expected}"


def test_the_smallest_spec_asks_for_nothing_that_is_not_built() -> None:
    refuse_unbuilt(model_from_values(values(), ""), "")
