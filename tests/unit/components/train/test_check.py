# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from components.train import train
from kelp.errors import InputError
from tests.unit.components.train.matrices import a_model, write_matrix
from tests.unit.components.train.own_trainers import MODULE


def refusal(tmp_path: Path, trainer: str, task: str = "binary") -> InputError:
    """Train with an own trainer that cannot be used: the place is its name in the spec, and there is a fix."""
    with pytest.raises(InputError) as caught:
        train(a_model(task, trainer=f"{MODULE}:{trainer}", params={}), write_matrix(tmp_path, task=task), 7, tmp_path)
    assert caught.value.place == "spec.train.trainer"
    assert caught.value.fix
    assert "\n" not in caught.value.message
    assert not (tmp_path / "train.json").exists()
    return caught.value


@pytest.mark.parametrize(
    ("trainer", "said"),
    [
        pytest.param("WrongInput", "expected the one input rows, float32 [n, 4]", id="input"),
        pytest.param("WrongWidth", "expected the one input rows, float32 [n, 4]", id="width"),
        pytest.param("WrongOutput", "expected an output score, found ['probability']", id="output"),
        pytest.param("WrongShape", "float32 of shape (400,), found float32 of shape (400, 2)", id="shape"),
        pytest.param("FixedRows", "expected the input rows of shape [n, 4] for any n, found [7, 4]", id="fixed-rows"),
        pytest.param("NotANumber", "expected finite scores, found NaN or infinity in", id="nan"),
        pytest.param("NoProbability", "expected probabilities from 0 to 1, found from -", id="no-probability"),
        pytest.param("Random", "found others the second time", id="random"),
        pytest.param("LooksAtOthers", "not to depend on the rows beside it", id="company"),
        pytest.param("WeightsOutside", "expected one file, found weights outside it", id="external-data"),
        pytest.param("NoOnnx", "expected an ONNX model from to_onnx, found other bytes", id="no-onnx"),
        pytest.param("EmptyOnnx", "is not an ONNX model", id="empty"),
        pytest.param("Text", "expected bytes from to_onnx, found a str", id="text"),
        pytest.param("Listing", "a mapping of names to JSON values from fit, found a list", id="no-mapping"),
        pytest.param("Objects", "expected JSON values from fit, found history as a list of object", id="no-json"),
        pytest.param("NoLoss", "expected validation from fit to be a finite number, found nan", id="nan-loss"),
        pytest.param("HalfRounds", "expected rounds from fit to be a whole number", id="half-rounds"),
        pytest.param("Important", "expected importance from fit to be a mapping of numbers", id="importance"),
        pytest.param("Pickled", "expected no pickle from files, found one in model.bin", id="pickle"),
        pytest.param("Elsewhere", "expected a plain file name of its own", id="file-elsewhere"),
        pytest.param("Taken", "from files, found 'manifest.json'", id="file-taken"),
        pytest.param("NoBytes", "expected bytes from files, found model.bin as a str", id="file-no-bytes"),
    ],
)
def test_what_a_trainer_gives_is_held_against_the_promise(tmp_path: Path, trainer: str, said: str) -> None:
    assert said in refusal(tmp_path, trainer).message


def test_probabilities_of_a_row_add_up(tmp_path: Path) -> None:
    assert "expected the scores of a row to add up to 1" in refusal(tmp_path, "SumsToMore", "multiclass").message


def test_a_value_may_be_anything_finite(tmp_path: Path) -> None:
    model = a_model("regression", trainer=f"{MODULE}:NoProbability", params={})
    assert train(model, write_matrix(tmp_path, task="regression"), 7, tmp_path)["files"] == []
