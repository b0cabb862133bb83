# SPDX-License-Identifier: Apache-2.0
import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from components.train.check import write_model
from components.train.network import Network
from kelp.frame.session import onnx_runtime
from tests.unit.components.train.networks import CATEGORIES, a_table, a_training, plain

ROOT = Path(__file__).parents[4]
QUICK = {"epochs": 2, "hidden": 8, "layers": 1}


def answers(content: bytes, matrix: Any) -> Any:
    return onnx_runtime().InferenceSession(content).run(["score"], {"rows": matrix})[0]


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_model_is_what_a_trainer_promises(tmp_path: Path, task: str) -> None:
    training = a_table(tmp_path, task=task, rows=300, params=QUICK)
    network = Network()
    network.fit(training)
    matrix, _ = next(training.rows.batches())
    write_model(network.to_onnx(), training.transform, matrix, tmp_path / "model.onnx")


def test_onnx_and_pt2_answer_alike_also_beyond_the_training_rows(tmp_path: Path) -> None:
    import torch

    training = a_table(tmp_path, rows=300, params=QUICK)
    network = Network()
    network.fit(training)
    largest = float(np.finfo(np.float32).max)
    codes = np.arange(-1, len(CATEGORIES) + 3)  # from below the lowest to above the highest
    matrix = np.zeros((len(codes) + 2, 4), dtype=np.float32)
    matrix[: len(codes), 2] = codes
    matrix[-2] = largest
    matrix[-1] = -largest
    found = answers(network.to_onnx(), matrix)
    with torch.no_grad():
        program = torch.export.load(io.BytesIO(network.files()["model.pt2"])).module()
        expected = program(torch.from_numpy(matrix)).numpy()
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert found[0] == found[1]  # a code below 0 counts as 0, one above the highest as that
    assert found[len(codes) - 1] == found[len(CATEGORIES) + 1]


@pytest.mark.parametrize(("class_weights", "share"), [((), 1 / 3), ((0.75, 1.5), 1 / 2)], ids=["equal", "balanced"])
def test_constant_features_say_nothing_whatever_they_become(
    tmp_path: Path, class_weights: tuple[float, ...], share: float
) -> None:
    matrix = np.full((60, 2), 3.0, dtype=np.float32)
    training = a_training(tmp_path, plain(2), matrix, (np.arange(60) % 3 == 0).astype(np.float64), {"epochs": 40})
    network = Network()
    network.fit(replace(training, class_weights=class_weights))
    found = answers(network.to_onnx(), np.array([[3, 3], [0, 1e6]], dtype=np.float32))
    assert found[0] == pytest.approx(share, abs=0.06)
    assert found[1] == pytest.approx(found[0], abs=1e-6)


def test_the_files_tell_no_path_and_no_version(tmp_path: Path) -> None:
    import torch

    network = Network()
    network.fit(a_table(tmp_path, rows=50, params=QUICK))
    content = network.to_onnx()
    for file in (content, network.files()["model.pt2"]):
        for secret in (str(ROOT), str(tmp_path), sys.prefix, "site-packages", "stack_trace"):
            assert secret.encode() not in file
    assert torch.__version__.encode() not in content
    model = onnx.load_model_from_string(content)
    assert [node.name for node in (*model.graph.input, *model.graph.output)] == ["rows", "score"]
    assert not [tensor for tensor in model.graph.initializer if tensor.external_data]


PROGRAM = """
import hashlib, sys, torch
from pathlib import Path
from components.train.network import Network
from tests.unit.components.train.networks import a_table, with_validation
torch.set_num_threads(int(sys.argv[2]))
training = with_validation(a_table(Path(sys.argv[1]), rows=1000, params={"epochs": 3}), early_stopping=2)
network = Network()
print(network.fit(training))
for file in (network.to_onnx(), network.files()["model.pt2"]):
    print(hashlib.sha256(file).hexdigest())
"""


def test_equal_trainings_in_two_processes_give_equal_bytes(tmp_path: Path) -> None:
    processes = []
    for threads in ("1", "2"):  # that the process had before
        folder = tmp_path / threads
        folder.mkdir()
        command = [sys.executable, "-c", PROGRAM, str(folder), threads]
        processes.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))
    told = [process.communicate(timeout=240)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert told[0] == told[1]
    assert len(told[0].splitlines()) == 3


def test_torch_is_left_as_it_was(tmp_path: Path) -> None:
    import torch

    def state() -> list[Any]:
        return [
            torch.get_num_threads(),
            torch.get_default_dtype(),
            torch.are_deterministic_algorithms_enabled(),
            torch.get_rng_state().tolist(),
        ]

    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        before = state()
        network = Network()
        network.fit(a_table(tmp_path, rows=50, params=QUICK))
        network.to_onnx()
        network.files()
        assert state() == before
    finally:
        torch.set_num_threads(threads)
