# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from kelp.errors import IntegrityError, KelpError, NotFound
from kelp.frame.history import History
from kelp.frame.online import Online
from serving.explain import MOST_ROWS, Explanations
from tests.unit.kelp.frame.explained import a_version
from tests.unit.kelp.frame.windowed import columns_of, quotes, window

ROW = {"a": 0.5, "b": None, "c": -1.0, "at": "2024-05-01T10:00:00Z"}


def explanations(folder: Path, *unlisted: str) -> Explanations:
    """Of a served version; files that are `unlisted` are not in its manifest."""
    scorer = a_version(folder, "binary")
    (folder / "golden.json").write_text("{}")
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    listed = {name: digest for name, digest in files.items() if name not in unlisted}
    content = json.dumps({"files": listed})
    (folder / "manifest.json").write_text(content)
    return Explanations(Online(scorer), folder, hashlib.sha256(content.encode()).hexdigest())


def asked(found: Explanations, instances: Any) -> list[Any]:
    answers: list[Any] = orjson.loads(found.answer(orjson.dumps({"instances": instances})))["explanations"]
    return answers


def test_an_explanation_a_row_adds_up_and_starts_with_the_largest(tmp_path: Path) -> None:
    found = explanations(tmp_path)
    answers = asked(found, [ROW, {**ROW, "at": None}])
    assert len(answers) == 2
    for answer in answers:
        assert (answer["method"], answer["scale"], answer["class"]) == ("tree_shap", "margin", "yes")
        assert answer["base"] + sum(answer["contributions"].values()) == pytest.approx(answer["total"], abs=1e-4)
        sizes = [abs(value) for value in answer["contributions"].values()]
        assert sizes == sorted(sizes, reverse=True)
        assert set(answer["contributions"]) == {"a", "b", "c", "at"}
        assert "errors" not in answer


def test_a_version_without_trees_says_its_error(tmp_path: Path) -> None:
    found = explanations(tmp_path, "model.ubj")
    (tmp_path / "model.ubj").unlink()
    answer = asked(found, [ROW])[0]
    assert (answer["method"], answer["scale"]) == ("sampling", "score")
    assert answer["total"] == answer["score"]
    assert list(answer["errors"]) == list(answer["contributions"])


@pytest.mark.parametrize(
    ("body", "message", "status"),
    [
        pytest.param(b"", "body: expected a JSON object", 400, id="nothing"),
        pytest.param(b"{]", "body: expected JSON", 400, id="no JSON"),
        pytest.param(b'{"rows": []}', "instances: expected the key", 400, id="no instances"),
        pytest.param(b'{"instances": 3}', "instances: expected a list of rows", 400, id="no list"),
        pytest.param(b'{"instances": []}', "instances: expected one or more rows", 400, id="no rows"),
        pytest.param(b'{"instances": [{"a": "x"}]}', "instances[0].a: expected a number", 400, id="a wrong value"),
        pytest.param(b'{"instances": [' + b"1," * MOST_ROWS + b"1]}", "at most 100 rows", 413, id="too many"),
    ],
)
def test_bad_input_is_refused_as_in_predict(tmp_path: Path, body: bytes, message: str, status: int) -> None:
    with pytest.raises(KelpError) as refused:
        explanations(tmp_path).answer(body)
    assert message in str(refused.value)
    assert refused.value.http_status == status


@pytest.mark.parametrize("name", ["model.ubj", "reference.parquet"])
def test_a_file_that_the_manifest_does_not_list_is_never_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(IntegrityError, match=f"{name}: is not listed"):
        asked(explanations(tmp_path, name), [ROW])


def test_a_file_that_was_changed_since_is_refused(tmp_path: Path) -> None:
    found = explanations(tmp_path)
    (tmp_path / "reference.parquet").write_bytes((tmp_path / "reference.parquet").read_bytes() + b" ")
    with pytest.raises(IntegrityError, match=r"reference\.parquet"):
        asked(found, [ROW])


def test_a_look_at_a_history_leaves_it_as_it_was_and_sees_what_predict_saw() -> None:
    transform = quotes(window("count"), window("mean"))
    history = History(transform)
    rows = [{"at": 100.0, "sku": "a", "price": 4.0}, {"at": 103.0, "sku": "a", "price": 2.0}]
    columns = columns_of(transform, rows)
    answered = history.answer(columns, 2)
    before = history.to_table()
    looked = history.look(columns, 2)
    for name, values in answered.items():
        np.testing.assert_array_equal(looked[name], values)
    assert history.to_table().equals(before)
    assert history.look(columns_of(transform, [{"at": 104.0, "sku": "new"}]), 1)["count_price"].tolist() == [0.0]
    assert history.facts()["entities"] == 1


def test_version_without_rows_to_start_from_is_said(tmp_path: Path) -> None:
    found = explanations(tmp_path, "reference.parquet")
    (tmp_path / "reference.parquet").unlink()
    with pytest.raises(NotFound, match=r"holds no reference\.parquet"):
        asked(found, [ROW])


def test_files_that_were_changed_with_their_manifest_are_refused(tmp_path: Path) -> None:
    found = explanations(tmp_path)
    (tmp_path / "golden.json").write_text("{ }")
    files = json.loads((tmp_path / "manifest.json").read_text())["files"]
    files["golden.json"] = hashlib.sha256(b"{ }").hexdigest()
    (tmp_path / "manifest.json").write_text(json.dumps({"files": files}))
    with pytest.raises(IntegrityError, match="changed since the version was loaded"):
        asked(found, [ROW])
