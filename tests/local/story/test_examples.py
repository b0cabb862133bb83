# SPDX-License-Identifier: Apache-2.0
"""Each example from its data to answers: it beats a dummy by a margin on held-out rows, and tells its own story."""

import csv
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.local.story.workplace import ROOT, Workplace, example_workplace


def requests(name: str) -> list[dict[str, Any]]:
    (path,) = (ROOT / "examples" / name).glob("*.json")
    rows: list[dict[str, Any]] = json.loads(path.read_text())
    return rows


def run(workplace: Workplace, model: str) -> dict[str, Any]:
    """Run the model and return its evaluation."""
    said = workplace.kelp("run", f"models/{model}.yaml")
    assert f"PASS {model} version 1 is champion" in said
    folder = workplace.home / "registry" / model / "1"
    evaluation: dict[str, Any] = json.loads((folder / "evaluation.json").read_text())
    return evaluation


def answers(workplace: Workplace, model: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Serve the champion and ask it with `kelp predict`."""
    with workplace.serving(model):
        said = workplace.kelp("predict", model, "--input", "-", "--wait", "60", text=json.dumps(rows))
    return [json.loads(line) for line in said.splitlines()]


def better_than_dummy(evaluation: dict[str, Any], metric: str) -> float:
    """The lower bound of how much better the candidate is than the dummy."""
    low: float = evaluation["systems"]["dummy"]["improvement"][metric]["low"]
    return low


def test_disease_beats_the_dummy_and_forgets_who_the_patients_are(tmp_path: Path) -> None:
    workplace = example_workplace(tmp_path / "clinic", "disease")
    evaluation = run(workplace, "disease")
    assert better_than_dummy(evaluation, "roc_auc") > 0.4
    found = answers(workplace, "disease", requests("disease"))
    assert {answer["label"] for answer in found} == {"malignant", "benign"}
    (source,) = (workplace.folder / "data" / "disease").glob("*.csv")
    with source.open(newline="") as file:
        patients = list(csv.DictReader(file))
    names = {value.encode() for patient in patients for value in (patient["name"], patient["patient_id"])}
    kept = [path for path in (workplace.home / "registry").rglob("*") if path.is_file()]
    kept += [path for path in workplace.home.glob("runs/*/tasks/*/prepare/**/*") if path.is_file()]
    leaks = [path.name for path in kept if any(name in path.read_bytes() for name in names)]
    assert kept
    assert leaks == []


def test_demand_beats_the_seasonal_naive_forecast_and_keeps_to_its_horizon(tmp_path: Path) -> None:
    workplace = example_workplace(tmp_path / "shops", "demand")
    evaluation = run(workplace, "demand")
    assert better_than_dummy(evaluation, "mase") > 0.1
    rows = requests("demand")
    found = answers(workplace, "demand", rows)
    assert len(found) == len(rows)
    assert all(answer["score"] > -1 for answer in found)
    too_late = {**rows[0], "date": _days_later(rows[0]["date"], 60)}
    unknown = {**rows[0], "store": "a shop that opens tomorrow"}
    with workplace.serving("demand"):
        workplace.kelp("predict", "demand", "--input", "-", "--wait", "60", text=json.dumps(rows[:1]))
        late = workplace.kelp("predict", "demand", "--input", "-", text=json.dumps([too_late]), expect=2)
        new = workplace.kelp("predict", "demand", "--input", "-", text=json.dumps([unknown]), expect=2)
    assert "instances[0].date" in late
    assert "no history" in new


def _days_later(date: str, days: int) -> str:
    return (datetime.fromisoformat(date) + timedelta(days=days)).date().isoformat()


def test_pricing_answers_move_with_what_was_sold_in_the_last_hour(tmp_path: Path) -> None:
    workplace = example_workplace(tmp_path / "market", "pricing")
    evaluation = run(workplace, "pricing")
    assert better_than_dummy(evaluation, "rmse") > 0
    rows = requests("pricing")
    found = answers(workplace, "pricing", rows)
    first, last = found[0]["score"], found[-1]["score"]
    assert abs(last - first) > 0.02 * abs(first)
    (again,) = answers(workplace, "pricing", rows[-1:])  # of a server that was started again, and remembers
    assert again["score"] == pytest.approx(last)


def test_intents_of_sentences_that_nobody_trained_on(tmp_path: Path) -> None:
    workplace = example_workplace(tmp_path / "support", "intents")
    evaluation = run(workplace, "intents")
    assert better_than_dummy(evaluation, "accuracy") > 0.4
    with (ROOT / "examples" / "intents" / "heldout.csv").open(newline="", encoding="utf-8") as file:
        heldout = list(csv.DictReader(file))
    (sample,) = requests("intents")[:1]
    rows = [{**sample, "message": row["message"]} for row in heldout]
    found = answers(workplace, "intents", rows)
    right = sum(answer["label"] == row["intent"] for answer, row in zip(found, heldout, strict=True))
    assert right / len(heldout) > 0.5  # chance is about 1 in 12


def test_recommendations_rank_what_is_bought_above_what_is_not(tmp_path: Path) -> None:
    workplace = example_workplace(tmp_path / "shop", "recommendations")
    evaluation = run(workplace, "recommendations")
    candidate = evaluation["systems"]["candidate"]["metrics"]["ndcg_at_10"]
    dummy = evaluation["systems"]["dummy"]["metrics"]["ndcg_at_10"]
    assert candidate["low"] > dummy["high"] + 0.05
    assert len(answers(workplace, "recommendations", requests("recommendations"))) >= 3


def test_fraud_by_a_network(tmp_path: Path) -> None:
    workplace = example_workplace(tmp_path / "bank", "fraud", "--rows", "30000", model="fraud-network")
    evaluation = run(workplace, "fraud-network")
    assert better_than_dummy(evaluation, "pr_auc") > 0.2
    found = answers(workplace, "fraud-network", requests("fraud"))
    assert [answer["label"] for answer in found] == ["true", "true", "false", "false"]


def test_an_own_trainer_is_judged_and_served_like_ours(tmp_path: Path) -> None:
    workplace = example_workplace(tmp_path / "own", "fraud", "--rows", "30000")
    text = (ROOT / "examples" / "own_trainer" / "model.yaml").read_text()
    name = next(line for line in text.splitlines() if "name:" in line).split("name:")[1].strip(" },")
    spec = workplace.spec(name, text)
    package = workplace.folder / "examples" / "own_trainer"
    package.mkdir(parents=True)
    for source in (ROOT / "examples" / "own_trainer").glob("*.py"):
        (package / source.name).write_text(source.read_text())
    workplace.kelp("run", spec)
    evaluation = json.loads((workplace.home / "registry" / name / "1" / "evaluation.json").read_text())
    assert better_than_dummy(evaluation, "pr_auc") > 0.2
    assert len(answers(workplace, name, requests("fraud"))) == 4


EXAMPLES = [
    pytest.param("disease", "disease", (), id="disease"),
    pytest.param("demand", "demand", (), id="demand"),
    pytest.param("pricing", "pricing", (), id="pricing"),
    pytest.param("intents", "intents", (), id="intents"),
    pytest.param("recommendations", "recommendations", (), id="recommendations"),
    pytest.param("fraud-network", "fraud", ("--rows", "20000"), id="fraud-network"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "data", "options"), EXAMPLES)
def test_two_workspaces_give_equal_digests(tmp_path: Path, model: str, data: str, options: tuple[str, ...]) -> None:
    found = []
    for name in ("one", "another"):
        workplace = example_workplace(tmp_path / name, data, *options, model=model)
        workplace.kelp("status")
        (workplace.home / "keys" / "pseudonym.key").write_bytes(bytes(32))
        workplace.kelp("run", f"models/{model}.yaml")
        manifest = json.loads((workplace.home / "registry" / model / "1" / "manifest.json").read_text())
        names = sorted({"model.onnx", "transform.json", "golden.json", "history.parquet"} & set(manifest["files"]))
        found.append({**{n: manifest["files"][n] for n in names}, "prepared": manifest["prepared"]})
    assert found[0] == found[1]
