# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
import zipfile

import numpy as np
import pyarrow.parquet as pq
import pytest
import xgboost

from components.train.boosting_onnx import TOLERANCE
from kelp.errors import IntegrityError
from kelp.frame.arrow import columns_from_table
from kelp.frame.rows import columns_from_instances
from kelp.frame.scorer import Scorer, check_golden
from kelp.registry import check_files
from tests.unit.components.ingest.factories import Bench, json_of
from tests.unit.components.package.pipeline import Run, a_run, a_task_model, write_table

TASKS = ("binary", "multiclass", "regression")
FILES = {
    "evaluation.json",
    "golden.json",
    "ingest.json",
    "manifest.json",
    "model.onnx",
    "model.ubj",
    "reference.parquet",
    "report.html",
    "spec.json",
    "transform.json",
}


@pytest.fixture(params=TASKS)
def packaged(bench: Bench, request: pytest.FixtureRequest) -> Run:
    write_table(bench, request.param)
    run = a_run(bench, a_task_model(request.param))
    run.package()
    return run


def test_the_version_directory_is_whole_and_answers_as_it_was_trained(packaged: Run) -> None:
    folder = packaged.packaged
    assert {path.name for path in folder.iterdir()} == FILES
    check_files(folder)
    check_golden(folder)
    scorer = Scorer.load(folder)
    matrix = scorer.transform.apply(
        columns_from_table(scorer.transform, pq.read_table(packaged.steps["prepared"] / "test_rows.parquet"))
    )
    booster = xgboost.Booster(model_file=folder / "model.ubj")
    expected = booster.inplace_predict(matrix)
    scores = scorer.score(matrix)
    assert (
        scores.shape
        == expected.shape
        == ((len(matrix), 3) if packaged.model.spec.task == "multiclass" else (len(matrix),))
    )
    assert np.abs(scores - expected).max() <= TOLERANCE * max(1.0, np.abs(expected).max())


def test_nothing_in_the_directory_is_a_pickle(packaged: Run) -> None:
    for path in packaged.packaged.iterdir():
        assert not path.read_bytes().startswith(b"\x80"), path.name  # every pickle of protocol 2 or newer does
        assert not zipfile.is_zipfile(path), path.name  # which could hold one


def test_golden_rows_are_requests(packaged: Run) -> None:
    golden = json_of(packaged.packaged / "golden.json")
    scorer = Scorer.load(packaged.packaged)
    assert golden["columns"] == [column.name for column in scorer.transform.columns]
    assert len(golden["rows"]) == len(golden["scores"]) == 32
    answers = scorer.score_columns(columns_from_instances(scorer.transform, golden["rows"]))
    np.testing.assert_array_equal(answers.reshape(32, -1), np.array(golden["scores"], dtype=np.float32))
    assert any(None in row for row in golden["rows"])


def test_nothing_private_is_in_the_directory(packaged: Run) -> None:
    for path in packaged.packaged.iterdir():
        content = path.read_bytes()
        assert b"@example.org" not in content, path.name
        assert b"customer-1" not in content, path.name
    assert not {"email", "who"} & set(pq.read_schema(packaged.packaged / "reference.parquet").names)


def test_the_manifest_says_where_the_version_came_from(bench: Bench) -> None:
    write_table(bench, "binary")
    gates = [{"metric": "roc_auc", "atLeast": 0.6}, {"metric": "recall", "gapAcross": "band", "atMost": 0.9}]
    run = a_run(bench, a_task_model("binary", gates=gates))
    manifest = run.package()
    assert manifest == json_of(run.packaged / "manifest.json")
    assert manifest["format"] == "kelp.dev/version/v1"
    assert (manifest["model"], manifest["task"], manifest["run"]) == ("tiny", "binary", "run-1")
    assert (manifest["reason"], manifest["parent"], manifest["seed"]) == ("manual", None, 7)
    assert manifest["spec"] == run.model.digest
    assert hashlib.sha256((run.packaged / "spec.json").read_bytes()).hexdigest() == manifest["spec"]
    data = run.steps["snapshot"] / "data.parquet"
    assert manifest["snapshot"] == hashlib.sha256(data.read_bytes()).hexdigest()
    assert manifest["prepared"] == json_of(run.steps["prepared"] / "prepare.json")["digest"]
    assert len(manifest["code"]) == 64
    assert {"python", "numpy", "pyarrow", "duckdb", "xgboost", "onnx", "onnxruntime"} <= set(manifest["packages"])
    auc = manifest["metrics"]["roc_auc"]
    assert 0.5 < auc["low"] <= auc["value"] <= auc["high"] <= 1
    assert [gate["result"] for gate in manifest["gates"]] == ["pass", "pass"]
    assert manifest["result"] in ("pass", "fail", "undecided")
    assert set(manifest["files"]) == FILES - {"manifest.json"}
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((run.packaged / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("scale", [pytest.param(1e-6, id="tiny"), pytest.param(1e12, id="huge")])
def test_a_regression_of_any_size_can_be_packaged(bench: Bench, scale: float) -> None:
    write_table(bench, "regression", scale=scale)
    run = a_run(bench, a_task_model("regression", params={"rounds": 200}))
    run.package()
    check_golden(run.packaged)


def test_files_of_the_trainer_and_the_history_go_along(bench: Bench) -> None:
    write_table(bench, "binary")
    run = a_run(bench, a_task_model("binary"))
    train, history = run.steps["trained"] / "train.json", run.steps["prepared"] / "history.parquet"
    train.write_text(json.dumps({**json_of(train), "files": ["weights.bin"]}))
    (run.steps["trained"] / "weights.bin").write_bytes(b"123")
    history.write_bytes(b"456")
    manifest = run.package()
    assert set(manifest["files"]) == (FILES - {"manifest.json", "model.ubj"}) | {"weights.bin", "history.parquet"}
    assert (run.packaged / "weights.bin").read_bytes() == b"123"
    assert (run.packaged / "history.parquet").read_bytes() == b"456"


def test_a_model_of_another_transform_is_refused(bench: Bench) -> None:
    write_table(bench, "binary")
    run = a_run(bench, a_task_model("binary"))
    path = run.steps["prepared"] / "transform.json"
    content = json_of(path)
    path.write_text(json.dumps({**content, "features": content["features"][1:]}))
    with pytest.raises(IntegrityError, match="expected the one input rows") as caught:
        run.package()
    assert caught.value.place.endswith("model.onnx")
    assert not (run.packaged / "manifest.json").exists()
