# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from kelp.runs.outputs import artifacts_of, output_folder, search_of, step_warnings, trials_of
from tests.unit.kelp.runs.run_folders import MadeUp


def test_artifacts_have_digest_and_size_and_a_lost_one_has_none(tmp_path: Path) -> None:
    run_dir = MadeUp().write(tmp_path)
    data, model = artifacts_of(run_dir)

    assert (data.name, data.sha256, data.bytes) == ("data.parquet", "d" * 64, 4)
    assert (model.name, model.bytes) == ("model.onnx", 4)
    Path(model.path).unlink()
    assert artifacts_of(run_dir)[1].bytes is None
    assert artifacts_of(MadeUp(run="young", until="").write(tmp_path)) == []


def test_warnings_are_read_from_the_file_of_the_step(tmp_path: Path) -> None:
    run_dir = MadeUp(files={"prepare": {"warnings": ["a", 3, "b"]}, "train": {"warnings": "no list"}}).write(tmp_path)
    assert [step_warnings(run_dir, step) for step in ("prepare", "train", "ingest", "package", "nothing")] == [
        ["a", "b"], [], [], [], [],
    ]  # fmt: skip


def test_trials_are_those_of_the_right_form(tmp_path: Path) -> None:
    trials = [{"number": 0, "value": 0.3}, {"value": 1}, "no"]
    run_dir = MadeUp(search={"metric": "log_loss", "trials": trials}).write(tmp_path)

    assert trials_of(run_dir) == [{"number": 0, "value": 0.3}]
    assert search_of(run_dir)["metric"] == "log_loss"
    assert trials_of(MadeUp(run="other").write(tmp_path)) == []
    found = output_folder(run_dir, "train")
    assert found is not None
    (found / "search.json").write_text("{")
    assert (trials_of(run_dir), search_of(run_dir)) == ([], {})
