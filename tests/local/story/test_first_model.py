# SPDX-License-Identifier: Apache-2.0
"""The newcomer's first minutes: run, look, serve, ask, verify."""

import json
from pathlib import Path

import httpx
import pytest

from tests.local.story.workplace import ROOT, Workplace

PAYMENT = (ROOT / "examples" / "fraud" / "payments.json").read_text()


def test_run_makes_a_champion_with_report_and_checkpoint(trained: Workplace) -> None:
    (run,) = trained.json("runs")
    assert run["state"] == "succeeded"
    assert [step["step"] for step in run["steps"]] == ["ingest", "prepare", "train", "evaluate", "package", "register"]
    (version,) = trained.json("models", "fraud")
    assert version["result"] == "pass"
    assert "champion" in version["aliases"]
    report = Path(trained.kelp("report").strip())
    assert report.stat().st_size < 500_000
    assert (
        trained.kelp("audit", "checkpoint").splitlines()[2] in report.read_text()
        or "kelp.dev/log/" in report.read_text()
    )


def test_predict_answers_raw_rows_through_the_served_champion(trained: Workplace) -> None:
    rows = str(ROOT / "examples" / "fraud" / "payments.json")
    with trained.serving("fraud"):
        answers = [
            json.loads(line) for line in trained.kelp("predict", "fraud", "--input", rows, "--wait", "60").splitlines()
        ]
        server = trained.json("status")["server"]
        refused = httpx.post(f"{server}/v1/models/fraud:predict", json={"instances": [{"amount": "much"}]})
    assert [answer["label"] for answer in answers] == ["true", "true", "false", "false"]
    assert refused.status_code == 400
    assert "instances[0]" in refused.text


def test_a_second_server_starts_where_the_first_one_was(trained: Workplace) -> None:
    for _ in range(2):
        with trained.serving("fraud"):
            assert trained.kelp("predict", "fraud", "--input", "-", "--wait", "60", text=PAYMENT).startswith('{"score"')


def test_verify_says_ok_and_what_it_cannot_know(trained: Workplace) -> None:
    said = trained.kelp("audit", "verify")
    assert said.splitlines()[-1].startswith("OK ")
    assert "no checkpoint kept elsewhere" in said


def test_verify_against_a_kept_checkpoint(trained: Workplace, tmp_path: Path) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text(trained.kelp("audit", "checkpoint"))
    assert "OK " in trained.kelp("audit", "verify", "--against", str(kept))


def test_two_runs_on_the_same_data_give_equal_digests(trained: Workplace, tmp_path: Path) -> None:
    again = Workplace(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "data").symlink_to(trained.folder / "data")
    again.spec("fraud", (ROOT / "models" / "fraud.yaml").read_text())
    first_home = (trained.home / "keys" / "pseudonym.key").read_bytes()
    again.kelp("status")
    (again.home / "keys" / "pseudonym.key").write_bytes(first_home)
    again.kelp("run", "models/fraud.yaml")
    assert digests(again) == digests(trained)


def digests(workplace: Workplace) -> dict[str, str]:
    """The digests of a first version's data and of everything that answers requests."""
    manifest = json.loads((workplace.home / "registry" / "fraud" / "1" / "manifest.json").read_text())
    files = {name: manifest["files"][name] for name in ("model.onnx", "model.ubj", "transform.json", "golden.json")}
    return {**files, "snapshot": manifest["snapshot"], "prepared": manifest["prepared"]}


@pytest.mark.parametrize("kind", ["compile", "render"])
def test_the_same_file_becomes_cluster_objects(trained: Workplace, kind: str) -> None:
    if kind == "compile":
        said = trained.kelp("compile", "models/fraud.yaml", "--out", str(trained.folder / "compiled"))
        assert "wrote" in said
    else:
        said = trained.kelp("render", "models/fraud.yaml")
        for wanted in ("kind: InferenceService", "kind: HTTPRoute", "kind: ServingRuntime", "kind: PipelineVersion"):
            assert wanted in said
