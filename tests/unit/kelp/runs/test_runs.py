# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from kelp.errors import Conflict, InputError, IntegrityError, NotFound
from kelp.home import Home
from kelp.runs.lock import shared
from kelp.runs.record import Attempt, Parameter, RunRecord, RunState, read_record, write_record
from kelp.runs.runs import Identity, create_run, find_run, list_runs, read_run, resumable_run
from kelp.spec import Model, model_from_json, model_from_values

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
PIPELINE = yaml.safe_dump(
    {
        "root": {
            "inputDefinitions": {
                "parameters": {
                    "reason": {"parameterType": "STRING", "defaultValue": "manual"},
                    "seed": {"parameterType": "NUMBER_INTEGER", "defaultValue": 7.0},
                    "needed": {"parameterType": "BOOLEAN"},
                }
            }
        }
    }
)


def a_home(workspace: Path) -> Home:
    names = ("data_root", "store", "registry", "audit", "runs", "keys")
    return Home(**{name: str(workspace / name) for name in names})  # type: ignore[arg-type]  # all six are texts


def a_model(name: str = "fraud", target: str = "y") -> Model:
    data = {"source": "data://x.csv", "target": target, "positive": "1"}
    values = {"apiVersion": "kelp.dev/v1alpha1", "kind": "Model", "metadata": {"name": name}}
    return model_from_values({**values, "spec": {"task": "binary", "data": data}}, "test")


def a_run(home: Home, *, minutes: int = 0, state: RunState = "created", model: Model | None = None) -> Path:
    identity = Identity(now=lambda: NOON + timedelta(minutes=minutes), token=lambda: "beef")
    run_dir = create_run(home, model or a_model(), PIPELINE, {"needed": True}, identity)
    record = read_record(RunRecord, run_dir / "run.json")
    write_record(run_dir / "run.json", record.model_copy(update={"state": state}))
    return run_dir


def test_a_new_run_has_everything_it_needs(tmp_path: Path) -> None:
    run_dir = a_run(a_home(tmp_path))

    assert run_dir.name == "fraud-20260801-120000-beef"
    assert (run_dir / "pipeline.yaml").read_text() == PIPELINE
    values = yaml.safe_load((run_dir / "spec.yaml").read_text())
    assert model_from_values(values, "spec.yaml") == a_model()
    record = read_run(run_dir)
    assert record.parameters == {"reason": "manual", "seed": 7, "needed": True}
    assert type(record.parameters["seed"]) is int
    assert type(record.parameters["needed"]) is bool
    assert (record.reason, record.state, record.spec_digest) == ("manual", "created", a_model().digest)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        pytest.param({"sede": 1, "needed": True}, "unknown parameter sede", id="unknown"),
        pytest.param({"seed": "1", "needed": True}, "parameter seed: expected int, got '1'", id="wrong type"),
        pytest.param({"seed": True, "needed": True}, "expected int, got True", id="a bool is no int"),
        pytest.param({}, "parameter needed: expected bool, got None", id="missing"),
        pytest.param({"reason": "{{x}}", "needed": True}, "parameter reason: expected text without", id="placeholder"),
    ],
)
def test_wrong_parameters_are_refused_before_anything_exists(
    tmp_path: Path, parameters: dict[str, Parameter], message: str
) -> None:
    home = a_home(tmp_path)
    identity = Identity(now=lambda: NOON, token=lambda: "beef")

    with pytest.raises(InputError, match=message):
        create_run(home, a_model(), PIPELINE, parameters, identity)
    assert not Path(home.runs).exists()


def test_a_run_is_never_overwritten(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    a_run(home)

    with pytest.raises(Conflict, match="exists"):
        a_run(home)


def test_runs_of_this_machine_need_a_folder(tmp_path: Path) -> None:
    home = a_home(tmp_path).model_copy(update={"runs": "s3://bucket/runs"})

    with pytest.raises(InputError, match="expected a folder for `runs`, got s3://bucket/runs"):
        list_runs(home)


def test_the_list_is_newest_first_and_by_model(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    first, other, last = a_run(home), a_run(home, minutes=1, model=a_model("churn")), a_run(home, minutes=2)

    assert [record.run for record in list_runs(home)] == [last.name, other.name, first.name]
    assert [record.run for record in list_runs(home, "churn")] == [other.name]
    assert list_runs(a_home(tmp_path / "empty")) == []


def test_a_running_run_without_a_process_was_interrupted(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    run_dir = a_run(home, state="running")

    assert read_run(run_dir).state == "interrupted"
    with shared(run_dir):
        assert read_run(run_dir).state == "running"


def test_a_damaged_record_is_left_out_of_the_list_and_named_when_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = a_home(tmp_path)
    run_dir = a_run(home)
    (run_dir / "run.json").write_text('{"run": 3}')

    assert list_runs(home) == []
    assert "left out of the list" in caplog.text
    with pytest.raises(IntegrityError, match="is not a record of a run"):
        read_run(run_dir)


def test_a_run_is_found_by_its_id(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    run_dir = a_run(home)

    assert find_run(home, run_dir.name) == run_dir
    for wrong in ("nothing", "", "../runs", f"../runs/{run_dir.name}"):
        with pytest.raises(NotFound) as caught:
            find_run(home, wrong)
        assert run_dir.name in caught.value.fix


def test_the_latest_failed_run_is_resumable(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    a_run(home, state="failed")
    latest = a_run(home, minutes=1, state="running")
    a_run(home, minutes=2, state="failed", model=a_model("churn"))

    assert resumable_run(home, a_model()) == latest


def test_a_succeeded_or_absent_run_is_not(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    with pytest.raises(NotFound, match="has no run yet"):
        resumable_run(home, a_model())
    a_run(home, state="succeeded")
    with pytest.raises(NotFound, match="with success: nothing to resume"):
        resumable_run(home, a_model())


def test_another_spec_is_not_resumed(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    run_dir = a_run(home, state="failed")

    with pytest.raises(InputError, match=f"no longer the one of the run {run_dir.name}"):
        resumable_run(home, a_model(target="z"))


def test_a_record_survives_the_disk(tmp_path: Path) -> None:
    run_dir = a_run(a_home(tmp_path))
    record = read_run(run_dir).model_copy(update={"attempts": (Attempt(started=NOON, state="failed"),)})

    write_record(run_dir / "run.json", record)

    assert read_run(run_dir) == record
    assert '"specDigest"' in (run_dir / "run.json").read_text()
    assert model_from_json(a_model().to_json()) == a_model()
