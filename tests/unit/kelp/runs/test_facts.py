# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

from kelp.errors import InputError
from kelp.runs.facts import list_facts, run_facts, to_plain, version_facts
from kelp.runs.record import Failure
from tests.unit.kelp.runs.run_folders import MadeUp
from tests.unit.kelp.runs.test_runs import a_home


def test_a_whole_run_says_everything(tmp_path: Path) -> None:
    facts = run_facts(MadeUp().write(tmp_path))

    assert (facts.run, facts.model, facts.state, facts.reason) == (
        "fraud-20260801-120000-beef", "fraud", "succeeded", "manual",
    )  # fmt: skip
    assert (facts.created, facts.finished, facts.seconds) == ("2026-08-01T12:00:00Z", "2026-08-01T12:01:30Z", 90.0)
    assert (facts.source, facts.seed, facts.version, facts.status) == ("data://fraud", 7, 1, "champion")
    assert facts.params == {"max_depth": 6, "rounds": 200}
    assert facts.metrics["pr_auc"] == {"value": 0.6, "low": pytest.approx(0.5), "high": pytest.approx(0.7)}
    assert facts.digests == {"snapshot": "d" * 64, "prepared": "e" * 64, "code": "c" * 64, "spec": "5" * 64}
    assert (facts.gates, facts.gate_results, facts.main_metrics) == ("pass", {"pass": 1}, ("pr_auc",))
    assert [step["step"] for step in facts.steps][-1] == "register"
    assert facts.problem == ""


def test_a_run_that_stopped_says_what_is_known_by_then(tmp_path: Path) -> None:
    failure = Failure(step="package", type="IntegrityError", message="no\nmore")
    facts = run_facts(MadeUp(until="evaluate", state="failed", failure=failure).write(tmp_path))

    assert facts.metrics == {"pr_auc": {"value": 0.6, "low": 0.5, "high": None}}
    assert (facts.version, facts.status, facts.gates) == (None, "", "pass")
    assert facts.failure == "no"
    assert run_facts(MadeUp(run="new", until="").write(tmp_path)).seed == 7


@pytest.mark.parametrize(
    "content", [pytest.param("{", id="half a file"), pytest.param("[]", id="a list"), pytest.param(None, id="none")]
)
def test_a_damaged_run_is_listed_with_what_its_name_and_its_steps_say(tmp_path: Path, content: str | None) -> None:
    run_dir = MadeUp().write(tmp_path)
    (run_dir / "run.json").unlink()
    if content is not None:
        (run_dir / "run.json").write_text(content)
    (run_dir / "steps" / "train.json").write_text("{")

    facts = run_facts(run_dir)

    assert (facts.state, facts.model, facts.created) == ("damaged", "fraud", "2026-08-01T12:00:00Z")
    assert facts.metrics["pr_auc"]["value"] == 0.6
    assert facts.params == {}
    assert facts.problem


@pytest.mark.parametrize("name", ["empty", "fraud-20269999-999999-beef"])
def test_a_folder_that_is_no_run_is_damaged_and_has_no_date(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    facts = run_facts(tmp_path / name)
    assert (facts.state, facts.model, facts.created) == ("damaged", "", None)


def test_results_of_another_form_are_left_out(tmp_path: Path) -> None:
    run_dir = MadeUp().write(tmp_path)
    content = json.loads((run_dir / "run.json").read_text())
    for step in content["steps"]:
        step["result"] = {"params": 3, "metrics": [1], "gates": "no", "scalars": None}
    (run_dir / "run.json").write_text(json.dumps(content))

    facts = run_facts(run_dir)

    assert (facts.state, facts.metrics, facts.params, facts.gate_results) == ("succeeded", {}, {}, {})


def test_the_list_is_newest_first_with_damaged_ones(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    runs = Path(home.runs)
    for minutes in (1, 3, 2):
        MadeUp(run=f"fraud-{minutes}", minutes=minutes).write(runs)
    (runs / "empty").mkdir()
    (runs / "a file").write_text("")

    assert [facts.run for facts in list_facts(home)] == ["fraud-3", "fraud-2", "fraud-1", "empty"]
    assert list_facts(a_home(tmp_path / "nothing")) == []


def test_runs_of_this_machine_need_a_folder(tmp_path: Path) -> None:
    home = a_home(tmp_path).model_copy(update={"runs": "s3://bucket/runs"})
    with pytest.raises(InputError, match="expected a folder for `runs`"):
        list_facts(home)


def test_everything_is_json_with_names_in_camel_case(tmp_path: Path) -> None:
    plain = to_plain(run_facts(MadeUp(search={"trials": []}).write(tmp_path)))

    assert json.loads(json.dumps(plain))["run"] == "fraud-20260801-120000-beef"
    assert {"gateResults", "mainMetrics", "artifacts", "digests", "packages"} <= plain.keys()
    assert plain["search"] == {"trials": []}
    assert plain["artifacts"][1]["name"] == "model.onnx"


def test_a_version_without_its_run_says_what_its_manifest_knows() -> None:
    manifest = {
        "run": "fraud-1",
        "model": "fraud",
        "result": "fail",
        "seed": 3,
        "snapshot": "d",
        "metrics": {"pr_auc": {"value": 0.5, "low": 0.4, "high": 0.6}},
        "packages": {"python": "3.11"},
    }
    facts = version_facts(4, manifest, {"params": {"eta": 0.1}, "rounds": 5})

    assert (facts.run, facts.version, facts.gates, facts.seed) == ("fraud-1", 4, "fail", 3)
    assert facts.params == {"eta": 0.1, "rounds": 5}
    assert facts.metrics["pr_auc"]["high"] == 0.6
    assert facts.digests == {"snapshot": "d"}
