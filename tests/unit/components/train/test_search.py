# SPDX-License-Identifier: Apache-2.0
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from components.train import train
from components.train.inputs import read_training
from components.train.journal import Journal
from components.train.own import source_of
from components.train.search import Outcome, search
from kelp.errors import InputError, IntegrityError
from kelp.spec import Model
from tests.unit.components.train.matrices import a_model, json_of, write_matrix
from tests.unit.components.train.own_trainers import MODULE


def a_search(trials: int = 5, trainer: str = f"{MODULE}:Full", **train: Any) -> Model:
    train.setdefault("params", {})
    return a_model(trainer=trainer, search={"trials": trials, "timeLimit": "10s"}, **train)


def searched(folder: Path, model: Model, journal: Path | None = None, seconds_a_trial: float = 0.0) -> Outcome:
    asked = model.spec.train.search
    assert asked is not None
    times = itertools.count(0, seconds_a_trial)
    return search(
        asked,
        source_of(model.spec.train.trainer),
        read_training(model, write_matrix(folder), 7),
        Journal.open(journal, "key"),
        lambda done, total: None,
        lambda: float(next(times)),
    )


def test_the_best_is_the_least_loss_of_those_that_ended_well(tmp_path: Path) -> None:
    outcome = searched(tmp_path, a_search(30))
    complete = [trial for trial in outcome.trials if trial.state == "complete"]
    failed = [trial for trial in outcome.trials if trial.state == "failed"]
    assert len(outcome.trials) == 30
    assert failed
    assert all(trial.params["rate"] > 0.8 and "is too much" in trial.reason for trial in failed)
    assert outcome.best.value == min(trial.value for trial in complete if trial.value is not None)
    assert outcome.best.params["rate"] == pytest.approx(0.3, abs=0.1)
    document = outcome.document()
    assert (document["metric"], document["direction"], document["best"]) == (
        "validation",
        "minimize",
        outcome.best.number,
    )
    assert {"number", "params", "value", "seconds", "state"} <= document["trials"][0].keys()


def test_declared_params_are_fixed(tmp_path: Path) -> None:
    outcome = searched(tmp_path, a_search(4, params={"rate": 0.5}))
    assert all(trial.params.keys() == {"depth"} for trial in outcome.trials)
    assert [trial.value for trial in outcome.trials] == [pytest.approx(0.2)] * 4
    assert outcome.best.number == 0


def test_a_declared_alias_is_fixed_too(tmp_path: Path) -> None:
    model = a_search(2, "xgboost", params={"learning_rate": 0.5, "rounds": 3})
    outcome = searched(tmp_path, model)
    assert {trial.state for trial in outcome.trials} == {"complete"}
    assert all("eta" not in trial.params and "max_depth" in trial.params for trial in outcome.trials)


def test_no_trial_begins_after_the_time_and_one_always_does(tmp_path: Path) -> None:
    assert len(searched(tmp_path, a_search(), seconds_a_trial=4).trials) == 3
    assert len(searched(tmp_path, a_search(), seconds_a_trial=1000).trials) == 1


def test_a_search_that_was_killed_goes_on_to_the_same_end(tmp_path: Path) -> None:
    whole = searched(tmp_path, a_search(12), tmp_path / "whole.jsonl")
    lines = (tmp_path / "whole.jsonl").read_bytes().splitlines(keepends=True)
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(b"".join(lines[:8]) + lines[8][:20])
    assert searched(tmp_path, a_search(12), torn) == whole
    assert torn.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_trials_in_the_journal_are_not_run_again(tmp_path: Path) -> None:
    journal = tmp_path / "j.jsonl"
    first = searched(tmp_path, a_search(4), journal, seconds_a_trial=1)
    assert searched(tmp_path, a_search(4), journal, seconds_a_trial=99) == first


def test_a_journal_of_other_trials_is_refused(tmp_path: Path) -> None:
    journal = tmp_path / "j.jsonl"
    searched(tmp_path, a_search(2), journal)
    lines = journal.read_text().splitlines()
    changed = {**json.loads(lines[1]), "params": {"rate": 0.123, "depth": 1}}
    journal.write_text("\n".join([lines[0], json.dumps(changed)]) + "\n")
    with pytest.raises(IntegrityError, match="expected trial 0 with"):
        searched(tmp_path, a_search(2), journal)


@pytest.mark.parametrize(
    ("trainer", "place", "said"),
    [
        pytest.param(
            "Failing",
            "search",
            "all 3 failed; the first: spec.train.trainer: fit raised ZeroDivisionError",
            id="all-fail",
        ),
        pytest.param("Silent", "search", "the first: .*expected `validation` from fit", id="no-loss"),
        pytest.param("Plain", "trainer", r"expected the method space\(trial\) for a search", id="no-space"),
    ],
)
def test_a_search_that_cannot_find_anything_says_why(tmp_path: Path, trainer: str, place: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        searched(tmp_path, a_search(3, f"{MODULE}:{trainer}"))
    assert caught.value.place == f"spec.train.{place}"


def test_the_step_fits_the_best_on_all_rows_as_long_as_early_stopping_said(tmp_path: Path) -> None:
    journal, results = tmp_path / "search.jsonl", []
    model = a_search(3, "xgboost", params={"eta": 0.3, "n_estimators": 60}, earlyStopping=4)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        results.append(train(model, write_matrix(tmp_path / "m"), 7, tmp_path / name, journal=journal))
    first, second = results
    assert first == second
    found = json_of(tmp_path / "a" / "search.json")
    assert found == json_of(tmp_path / "b" / "search.json")
    best = found["trials"][found["best"]]
    assert first["rows"] == 400
    assert first["validation"] == best["value"]
    assert first["params"]["max_depth"] == best["params"]["max_depth"]
    assert 1 <= first["rounds"] < 60
    assert first["rounds"] == json.loads(journal.read_text().splitlines()[found["best"] + 1])["length"]["rounds"]
