# SPDX-License-Identifier: Apache-2.0
import hashlib
from pathlib import Path

import pytest

from components.train import train
from components.train.own import importable, source_of, trainer_digest
from kelp.errors import InputError
from tests.unit.components.train.matrices import a_model, write_matrix
from tests.unit.components.train.own_trainers import MODULE


@pytest.mark.parametrize(
    ("name", "said", "fix"),
    [
        pytest.param("no_such_module:Trainer", "there is no module 'no_such_module'", "workspace", id="module"),
        pytest.param("no_such.module:Trainer", "there is no module 'no_such.module'", "workspace", id="package"),
        pytest.param(f"{MODULE}.deeper:Trainer", "there is no module", "workspace", id="in-a-module"),
        pytest.param(f"{MODULE}:Plane", "has no 'Plane'", f"did you mean {MODULE}:Plain?", id="near-name"),
        pytest.param(f"{MODULE}:Zzz", "has no 'Zzz'", "define it in", id="name"),
        pytest.param(f"{MODULE}:a_number", "expected a class or a function, found a int", "own-trainer", id="number"),
        pytest.param("tests.unit:Trainer", "expected a Python file, found a folder", "own-trainer", id="folder"),
    ],
)
def test_a_trainer_that_is_not_there_is_named(name: str, said: str, fix: str) -> None:
    with pytest.raises(InputError) as caught:
        source_of(name)
    assert caught.value.place == "spec.train.trainer"
    assert said in caught.value.message
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("trainer", "said"),
    [
        pytest.param("NeedsArguments", "make it without arguments: missing a required argument: 'depth'", id="needs"),
        pytest.param("HasNoFit", "expected the methods fit and to_onnx, found no fit", id="no-fit"),
        pytest.param("a_graph", "make it without arguments", id="function"),
    ],
)
def test_a_trainer_that_cannot_be_made_is_refused(trainer: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        source_of(f"{MODULE}:{trainer}").trainer()
    assert caught.value.fix


@pytest.mark.parametrize(
    ("trainer", "said", "line"),
    [
        pytest.param("BreaksWhenMade", "making it raised KeyError: 'weights'", 'raise KeyError("weights")', id="made"),
        pytest.param("Failing", "fit raised ZeroDivisionError: nothing by nothing", "raise ZeroDivision", id="fit"),
    ],
)
def test_what_the_users_code_raises_is_said_with_its_line_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, trainer: str, said: str, line: str
) -> None:
    with pytest.raises(InputError) as caught:
        train(a_model(trainer=f"{MODULE}:{trainer}"), write_matrix(tmp_path), 7, tmp_path)
    file = Path(__file__).with_name("own_trainers.py")
    lines = file.read_text().splitlines()
    number = next(number for number, text in enumerate(lines, start=1) if line in text)
    assert caught.value.message == f"{said} ({file}:{number})"
    assert "Traceback" in caplog.text


def test_an_error_of_kelp_passes_through(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a rate") as caught:
        train(a_model(trainer=f"{MODULE}:Refusing"), write_matrix(tmp_path), 7, tmp_path)
    assert caught.value.place == "spec.train.params.rate"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            "import no_such_library\n", "ModuleNotFoundError: No module named 'no_such_library'", id="library"
        ),
        pytest.param("x = 1\ny = (\n", "importing it raised SyntaxError", id="syntax"),
        pytest.param("raise RuntimeError\n", "importing it raised RuntimeError (", id="no-message"),
    ],
)
def test_a_module_that_cannot_be_imported_says_why(tmp_path: Path, text: str, said: str) -> None:
    name = f"broken_{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    path = tmp_path / f"{name}.py"
    path.write_text(text)
    with importable(tmp_path), pytest.raises(InputError) as caught:
        source_of(f"{name}:Trainer")
    assert said in caught.value.message
    assert f"{path}:" in caught.value.message


def test_the_digest_is_of_the_source_file_and_kelps_own_trainers_have_none(tmp_path: Path) -> None:
    path = tmp_path / "digested.py"
    path.write_bytes(b"raise RuntimeError\n")  # it is not run for its digest
    assert trainer_digest("digested:Trainer", tmp_path) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (trainer_digest("xgboost", tmp_path), trainer_digest("torch", None)) == ("", "")
    with pytest.raises(InputError, match="there is no module"):
        trainer_digest("digested:Trainer", None)
