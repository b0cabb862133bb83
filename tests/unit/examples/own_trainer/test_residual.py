# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.train import train
from kelp.errors import InputError
from kelp.frame.session import onnx_runtime
from kelp.spec import load_model
from kelp.spec.rules import problems
from tests.unit.components.train.matrices import a_model, json_of, write_matrix

NAME = "examples.own_trainer.residual:Residual"
ROOT = Path(__file__).parents[4]
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # torch's own, while it exports


def trained(folder: Path, name: str = "out", **asked: Any) -> tuple[dict[str, Any], Path]:
    out = folder / name
    out.mkdir()
    asked = {"params": {"epochs": 8, "rate": 0.01, "batch": 64}, **asked}
    return train(a_model(trainer=NAME, **asked), write_matrix(folder / "m"), 7, out, search_path=ROOT), out


def test_it_trains_and_answers_through_the_step(tmp_path: Path) -> None:
    result, folder = trained(tmp_path)
    session = onnx_runtime().InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    rows = np.array([[2, 2, 0, 0], [-2, 0, 0, 0], [2, 2, 1, 1]], dtype=np.float32)
    assert session.run(["score"], {"rows": rows})[0].round().tolist() == [1, 0, 1]
    assert (result["epochs"], result["rows"], result["params"]["width"]) == (8, 400, 32)
    assert len(result["trainerDigest"]) == 64


def test_the_same_training_gives_the_same_model(tmp_path: Path) -> None:
    first, second = (trained(tmp_path, name)[0] for name in ("a", "b"))
    assert first == second


def test_it_can_be_searched(tmp_path: Path) -> None:
    result, folder = trained(tmp_path, params={"epochs": 4, "batch": 64, "depth": 1}, search={"trials": 2})
    assert 0 < result["validation"] < 0.7
    assert [trial["state"] for trial in json_of(folder / "search.json")["trials"]] == ["complete", "complete"]


def test_what_it_would_ignore_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected neither earlyStopping nor classWeights"):
        trained(tmp_path, classWeights="balanced")


def test_an_unknown_param_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        trained(tmp_path, params={"with": 3})
    assert caught.value.place == "spec.train.params.with"


def test_the_spec_of_the_guide_is_right() -> None:
    model = load_model(ROOT / "examples" / "own_trainer" / "model.yaml")
    assert problems(model) == []
    assert model.spec.train.trainer == NAME


def test_the_guide_quotes_the_files_as_they_are() -> None:
    guide = (ROOT / "docs" / "own-trainer.md").read_text(encoding="utf-8")
    assert (ROOT / "examples" / "own_trainer" / "Dockerfile").read_text(encoding="utf-8").strip() in guide
    assert NAME in guide
