# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import xgboost

from components.train import train
from components.train.inputs import cuda_devices
from kelp.errors import DataError, EnvironmentFault, InputError
from kelp.frame.session import onnx_runtime
from kelp.parquet import file_digest
from kelp.spec import Model
from tests.unit.components.train.matrices import CLASSES, a_model, json_of, write_matrix
from tests.unit.components.train.own_trainers import MODULE


def trained(folder: Path, model: Model, *, seed: int = 7, rows: int = 400) -> tuple[dict[str, Any], Path]:
    """Train on the matrix of the model's task; return train.json and its folder."""
    out = folder / f"trained-{len(list(folder.iterdir()))}"
    out.mkdir()
    task = model.spec.task
    result = train(model, write_matrix(folder / task, task=task, rows=rows), seed, out)
    assert result == json_of(out / "train.json")
    return result, out


def answers(folder: Path, rows: Any) -> Any:
    session = onnx_runtime().InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    return session.run(["score"], {"rows": np.array(rows, dtype=np.float32)})[0]


@pytest.mark.parametrize("task", CLASSES)
def test_the_model_answers_as_the_task_asks(tmp_path: Path, task: str) -> None:
    result, folder = trained(tmp_path, a_model(task))
    scores = answers(folder, np.zeros((3, 4)))
    assert scores.shape == ((3, 3) if task in ("multiclass", "text") else (3,))
    assert result["digest"] == file_digest(folder / "model.onnx")
    assert result["files"] == ["model.ubj"]
    assert {path.name for path in folder.iterdir()} == {"model.onnx", "model.ubj", "train.json"}
    assert np.allclose(scores, xgboost.Booster(model_file=folder / "model.ubj").inplace_predict(np.zeros((3, 4))))


def test_what_is_learnt_is_in_the_data(tmp_path: Path) -> None:
    result, folder = trained(tmp_path, a_model(params={"rounds": 40}))
    assert answers(folder, [[2, 2, 0, 0], [-2, 0, 0, 0]]).round().tolist() == [1, 0]
    assert set(list(result["importance"])[:2]) == {"feature 0", "feature 1"}
    assert sum(result["importance"].values()) == pytest.approx(1, abs=1e-5)


def test_the_summary_says_how_it_was_trained(tmp_path: Path) -> None:
    result, _ = trained(tmp_path, a_model(params={"rounds": 10, "learning_rate": 0.2, "max_depth": 3}))
    assert (result["trainer"], result["seed"], result["rounds"], result["rows"]) == ("xgboost", 7, 10, 400)
    assert (result["params"]["eta"], result["params"]["max_depth"]) == (0.2, 3)
    assert (result["device"], result["warnings"]) == ("cpu", [])
    assert not {"seconds", "validation", "trainerDigest"} & set(result)


def test_another_seed_is_another_model_when_rows_are_drawn(tmp_path: Path) -> None:
    model = a_model(params={"rounds": 10, "subsample": 0.5})
    first, second = (trained(tmp_path, model, seed=seed)[0] for seed in (7, 8))
    assert first["digest"] != second["digest"]
    assert first["inputDigest"] != second["inputDigest"]


def test_rows_are_kept_back_only_for_early_stopping(tmp_path: Path) -> None:
    result, folder = trained(tmp_path, a_model(params={"rounds": 500, "eta": 0.5}, earlyStopping=3))
    assert result["rows"] == 320
    assert result["rounds"] < 500
    assert result["rounds"] == xgboost.Booster(model_file=folder / "model.ubj").num_boosted_rounds()
    assert 0 < result["validation"] < 0.7


def test_rows_that_cannot_be_kept_back_are_an_error(tmp_path: Path) -> None:
    path = write_matrix(tmp_path / "m", rows=5) / "train.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(DataError, match="expected rows to compare models on, found none") as caught:
        train(a_model(earlyStopping=3), tmp_path / "m", 7, tmp_path)
    assert "earlyStopping" in caught.value.fix


def test_a_gpu_that_is_not_there_is_a_fault_and_no_fallback(tmp_path: Path) -> None:
    model = a_model(resources={"limits": {"nvidia.com/gpu": "1"}})
    if cuda_devices():
        assert trained(tmp_path, model)[0]["device"] == "cuda"
        return
    with pytest.raises(EnvironmentFault, match="expected a GPU of NVIDIA, found none") as caught:
        trained(tmp_path, model)
    assert caught.value.place == "spec.train.resources"


def test_no_gpu_is_asked_for_by_none(tmp_path: Path) -> None:
    model = a_model(resources={"requests": {"nvidia.com/gpu": "0", "cpu": "2"}})
    assert trained(tmp_path, model)[0]["device"] == "cpu"


def test_progress_is_told_round_by_round(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    train(
        a_model(params={"rounds": 4}),
        write_matrix(tmp_path / "m"),
        7,
        tmp_path,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_an_own_trainer_is_recorded_with_the_digest_of_its_source(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result, folder = trained(tmp_path, a_model(trainer=f"{MODULE}:Full", params={"rate": 0.25}))
    assert result["trainerDigest"] == file_digest(Path(__file__).with_name("own_trainers.py"))
    assert result["params"] == {"rate": 0.25, "all": True}
    assert (result["epochs"], result["validation"]) == (4, pytest.approx(0.05))
    assert result["files"] == ["a.txt", "weights.bin"]
    assert (folder / "weights.bin").read_bytes() == b"123"
    assert "a warning of mine" in caplog.text
    assert answers(folder, np.zeros((2, 4))).tolist() == [0.5, 0.5]


def test_an_own_trainer_without_facts_or_files_is_enough(tmp_path: Path) -> None:
    result, folder = trained(tmp_path, a_model("multiclass", trainer=f"{MODULE}:Plain", params={"depth": 2}))
    assert (result["params"], result["files"], result["warnings"]) == ({"depth": 2}, [], [])
    assert answers(folder, np.zeros((1, 4))).tolist() == [pytest.approx([1 / 3, 1 / 3, 1 / 3])]


def test_the_workspace_comes_last_on_the_path_and_only_while_training(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "onnx.py").write_text("raise SystemExit('the wrong onnx')")
    source = f"import sys\nfrom {MODULE} import Plain\nLAST = sys.path[-1]\n"
    (workspace / "my_trainer.py").write_text(source)
    (tmp_path / "out").mkdir()
    result = train(
        a_model(trainer="my_trainer:Plain"), write_matrix(tmp_path / "m"), 7, tmp_path / "out", search_path=workspace
    )
    last = sys.modules["my_trainer"].LAST
    assert last == str(workspace)
    assert str(workspace) not in sys.path
    assert result["trainerDigest"] == file_digest(workspace / "my_trainer.py")


def test_a_refused_param_leaves_nothing_behind(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(InputError):
        train(a_model(params={"max_dept": 3}), write_matrix(tmp_path / "m"), 7, out)
    assert not list(out.iterdir())


SCRIPT = """
import sys
from pathlib import Path
from components.train import train
from components.train.inputs import cuda_devices
from tests.unit.components.train.matrices import a_model
model = a_model(sys.argv[3], params={"rounds": 20, "subsample": 0.7, "colsample_bytree": 0.7}, earlyStopping=10)
train(model, Path(sys.argv[1]), 7, Path(sys.argv[2]))
"""


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_processes_threads_and_hash_seeds_do_not_change_a_byte(tmp_path: Path, task: str) -> None:
    matrix = write_matrix(tmp_path / "matrix", task=task, rows=80_000, width=4)  # more than one batch
    made = []
    for hash_seed, threads in (("1", "1"), ("2", "2")):
        out = tmp_path / threads
        out.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": threads}
        command = [sys.executable, "-c", SCRIPT, str(matrix), str(out), task]
        subprocess.run(command, env=environment, check=True, timeout=240, cwd=Path(__file__).parents[4])
        made.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert made[0] == made[1]
    assert str(tmp_path).encode() not in made[0]["model.onnx"]
