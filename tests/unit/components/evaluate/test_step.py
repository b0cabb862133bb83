# SPDX-License-Identifier: Apache-2.0
import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.evaluate import confusion, curves, markdown, scalars
from kelp.errors import DataError, IntegrityError, KelpError, NotFound

AProblem = Callable[..., Any]
GATES = (
    {"metric": "roc_auc", "atLeast": 0.6},
    {"metric": "roc_auc", "notWorseThan": "champion", "by": 0.05},
    {"metric": "roc_auc", "notWorseThan": "legacy"},
    {"metric": "log_loss", "notWorseThan": "dummy"},
    {"metric": "roc_auc", "gapAcross": "age_band", "atMost": 0.9},
)


def floats(value: Any) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from floats(item)


def test_every_kind_of_gate_is_decided_on_the_same_rows(a_problem: AProblem, tmp_path: Path) -> None:
    written = a_problem(gates=GATES, has_legacy=True)
    found = written.evaluate(tmp_path / "evaluation", champion=written.champion)
    assert [gate.result for gate in found.gates] == ["pass"] * 5
    assert (found.result, found.why) == ("pass", "All 5 gates passed.")
    assert set(found.document["systems"]) == {"candidate", "champion", "legacy", "dummy"}
    assert json.loads((tmp_path / "evaluation" / "evaluation.json").read_text()) == found.document
    assert (tmp_path / "evaluation" / "report.html").stat().st_size < 500_000


def test_the_first_version_has_no_champion_and_says_so(a_problem: AProblem, tmp_path: Path) -> None:
    found = a_problem(gates=[GATES[1]]).evaluate(tmp_path / "evaluation")
    assert [(gate.result, gate.why) for gate in found.gates] == [("pass", "no champion yet")]


def test_a_gate_that_cannot_be_met_fails_the_evaluation_without_an_error(a_problem: AProblem, tmp_path: Path) -> None:
    found = a_problem(gates=[{"metric": "roc_auc", "atLeast": 0.999}]).evaluate(tmp_path / "evaluation")
    assert found.result == "fail"
    assert "roc_auc at least 0.999" in found.why


@pytest.mark.parametrize(
    ("undecided", "expected"),
    [
        pytest.param("fail", "fail", id="counts-as-failed"),
        pytest.param("pass-with-approval", "undecided", id="approval"),
    ],
)
def test_an_undecided_gate_follows_the_policy(
    a_problem: AProblem, tmp_path: Path, undecided: str, expected: str
) -> None:
    gate = {"metric": "recall", "gapAcross": "age_band", "atMost": 0.1}
    found = a_problem(gates=[gate], undecided=undecided, rows=500).evaluate(tmp_path / "evaluation")
    assert found.result == expected
    assert found.gates[0].needed is not None


def test_the_same_inputs_give_the_same_bytes(a_problem: AProblem, tmp_path: Path) -> None:
    written = a_problem(gates=GATES, has_legacy=True)
    for name in ("first", "second"):
        written.evaluate(tmp_path / name, champion=written.champion)
    for file in ("evaluation.json", "report.html"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


@pytest.mark.parametrize(
    "task", [pytest.param(task, id=task) for task in ("binary", "multiclass", "text", "regression")]
)
def test_every_task_gives_finite_numbers_to_kubeflow(a_problem: AProblem, tmp_path: Path, task: str) -> None:
    document = a_problem(task=task).evaluate(tmp_path / "evaluation").document
    assert all(map(math.isfinite, floats(document)))
    assert all(type(value) is float and math.isfinite(value) for value in scalars(document).values())
    assert "| metric | estimate | low | high |" in markdown(document)
    assert (curves(document) is not None) == (task == "binary")
    matrix = confusion(document)
    assert (matrix is None) == (task == "regression")
    if matrix is not None:
        assert sum(map(sum, matrix[1])) == 800


def test_the_roc_curve_for_kubeflow_is_short_and_of_plain_lists(a_problem: AProblem, tmp_path: Path) -> None:
    found = curves(a_problem().evaluate(tmp_path / "evaluation").document)
    assert found is not None
    assert len({len(part) for part in found}) == 1
    assert len(found[0]) <= 200
    assert all(type(value) is float for part in found for value in part)


def test_timings_are_not_in_the_evaluation(a_problem: AProblem, tmp_path: Path) -> None:
    a_problem().evaluate(tmp_path / "evaluation")
    assert "1.2345" not in (tmp_path / "evaluation" / "evaluation.json").read_text()


def test_a_champion_that_reads_a_lost_column_leaves_its_gate_undecided(a_problem: AProblem, tmp_path: Path) -> None:
    written = a_problem(gates=[GATES[1]], champion_columns=("amount", "postcode"))
    found = written.evaluate(tmp_path / "evaluation", champion=written.champion)
    assert found.gates[0].result == "undecided"
    assert "postcode" in found.gates[0].why


def test_a_damaged_champion_stops_the_evaluation(a_problem: AProblem, tmp_path: Path) -> None:
    written = a_problem()
    (written.champion / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(IntegrityError, match=r"model\.onnx"):
        written.evaluate(tmp_path / "evaluation", champion=written.champion)


def test_legacy_scores_that_are_no_probabilities_are_compared_in_ranking_alone(
    a_problem: AProblem, tmp_path: Path
) -> None:
    gates = ({"metric": "pr_auc", "notWorseThan": "legacy"}, {"metric": "brier", "notWorseThan": "legacy"})
    found = a_problem(gates=gates, has_legacy=True, legacy_scale=900.0).evaluate(tmp_path / "evaluation")
    assert [gate.result for gate in found.gates] == ["pass", "undecided"]
    assert "not probabilities" in found.gates[1].why


def replace_column(path: Path, name: str, values: Any) -> None:
    table = pq.read_table(path)
    position = table.column_names.index(name)
    pq.write_table(table.set_column(position, name, pa.array(values)), path)


def test_rows_without_a_legacy_score_are_left_out_on_both_sides(a_problem: AProblem, tmp_path: Path) -> None:
    written = a_problem(has_legacy=True, gates=[GATES[2]])
    path = written.prepared / "test.parquet"
    legacy = pq.read_table(path).column("__legacy").to_numpy().copy()
    legacy[::2] = np.nan
    replace_column(path, "__legacy", legacy)
    found = written.evaluate(tmp_path / "evaluation").document
    assert found["notes"]["legacy"] == "scored 400 of 800 rows; compared on those"
    assert found["systems"]["legacy"]["metrics"]["accuracy"]["support"] == 400


def test_a_legacy_system_that_scored_one_class_alone_has_no_curve(a_problem: AProblem, tmp_path: Path) -> None:
    written = a_problem(has_legacy=True)
    path = written.prepared / "test.parquet"
    table = pq.read_table(path)
    legacy = np.where(table["__target"].to_numpy() == 0, table["__legacy"].to_numpy(), np.nan)
    replace_column(path, "__legacy", legacy)
    document = written.evaluate(tmp_path / "evaluation").document
    assert set(document["pictures"]["roc"]) == {"candidate"}
    assert document["systems"]["legacy"]["metrics"]["roc_auc"]["reason"] == "undefined on these rows"


def _one_class(prepared: Path) -> None:
    replace_column(prepared / "test.parquet", "__target", [0] * 800)


def _unknown_class(prepared: Path) -> None:
    replace_column(prepared / "test.parquet", "__target", [0, 7] * 400)


def _empty(prepared: Path) -> None:
    for name in ("test.parquet", "test_rows.parquet"):
        pq.write_table(pq.read_table(prepared / name).slice(0, 0), prepared / name)


def _misaligned(prepared: Path) -> None:
    pq.write_table(pq.read_table(prepared / "test_rows.parquet").slice(1), prepared / "test_rows.parquet")


def _no_target(prepared: Path) -> None:
    pq.write_table(pq.read_table(prepared / "test.parquet").drop_columns(["__target"]), prepared / "test.parquet")


@pytest.mark.parametrize(
    ("harm", "error", "message"),
    [
        pytest.param(_one_class, DataError, "only 'false'", id="one-class"),
        pytest.param(_unknown_class, IntegrityError, "below 2", id="class-index-out-of-range"),
        pytest.param(_empty, DataError, "expected test rows, found none", id="no-rows"),
        pytest.param(_misaligned, IntegrityError, "as many rows", id="raw-rows-misaligned"),
        pytest.param(_no_target, IntegrityError, "__target", id="no-target"),
        pytest.param(lambda p: (p / "test.parquet").unlink(), NotFound, "prepare writes", id="file-missing"),
        pytest.param(lambda p: (p / "test.parquet").write_text("x"), IntegrityError, "Parquet", id="not-parquet"),
        pytest.param(lambda p: (p / "prepare.json").write_text("{"), IntegrityError, "JSON", id="not-json"),
        pytest.param(lambda p: (p / "transform.json").unlink(), NotFound, "prepare writes", id="no-transform"),
    ],
)
def test_wrong_inputs_are_refused_with_place_and_fix(
    a_problem: AProblem, tmp_path: Path, harm: Callable[[Path], Any], error: type[KelpError], message: str
) -> None:
    written = a_problem()
    harm(written.prepared)
    with pytest.raises(error, match=message) as caught:
        written.evaluate(tmp_path / "evaluation")
    assert caught.value.place
    assert not list((tmp_path / "evaluation").iterdir())


def test_a_missing_and_a_damaged_model_are_refused(a_problem: AProblem, tmp_path: Path) -> None:
    written = a_problem()
    (written.trained / "model.onnx").write_bytes(b"{}")
    with pytest.raises(IntegrityError, match="is not an ONNX model"):
        written.evaluate(tmp_path / "damaged")
    (written.trained / "model.onnx").unlink()
    with pytest.raises(NotFound, match="train writes"):
        written.evaluate(tmp_path / "missing")


def test_names_from_data_cannot_become_markdown(a_problem: AProblem, tmp_path: Path) -> None:
    gate = {"metric": "recall", "gapAcross": "a|b<img src=x>", "atMost": 0.1}
    written = a_problem(gates=[gate], protected="a|b<img src=x>", groups=("[x](y)", "**z**"))
    text = markdown(written.evaluate(tmp_path / "evaluation").document)
    assert "<img" not in text
    assert "a|b" not in text
    assert "[x](y)" not in text


def test_a_matrix_of_too_many_classes_is_not_sent_to_kubeflow(a_problem: AProblem, tmp_path: Path) -> None:
    document = a_problem(task="text").evaluate(tmp_path / "evaluation").document
    found = confusion(document)
    assert found is not None
    assert len(found[0]) == 12
    document["pictures"]["confusion"]["classes"] = [f"class {position}" for position in range(31)]
    assert confusion(document) is None


def test_the_summary_says_what_is_doubtful(a_problem: AProblem, tmp_path: Path) -> None:
    document = a_problem(is_leaking=True).evaluate(tmp_path / "evaluation").document
    assert "- **Warning:** column distance alone predicts is\\_fraud" in markdown(document)


def test_a_text_is_judged_like_several_classes(a_problem: AProblem, tmp_path: Path) -> None:
    gates = ({"metric": "accuracy", "atLeast": 0.4}, {"metric": "log_loss", "notWorseThan": "dummy"})
    found = a_problem(task="text", gates=gates).evaluate(tmp_path / "evaluation")
    assert [gate.result for gate in found.gates] == ["pass", "pass"]
    assert (found.document["model"]["task"], len(found.document["pictures"]["classes"])) == ("text", 12)


def test_a_model_of_other_features_is_refused(a_problem: AProblem, tmp_path: Path) -> None:
    written = a_problem()
    (written.trained / "model.onnx").write_bytes((written.champion / "model.onnx").read_bytes())
    with pytest.raises(IntegrityError, match=r"float32 \[n, 4\]"):
        written.evaluate(tmp_path / "evaluation")


def test_no_training_library_is_needed(a_problem: AProblem, tmp_path: Path) -> None:
    written = a_problem()
    code = (
        "import sys; from pathlib import Path\n"
        "from components.evaluate import evaluate; from kelp.spec import model_from_json\n"
        f"folders = [Path(p) for p in {[str(p) for p in (written.snapshot, written.prepared, written.trained)]!r}]\n"
        f"evaluate(model_from_json({written.model.to_json()!r}), *folders, None, {{}}, Path({str(tmp_path)!r}))\n"
        "assert not {'xgboost', 'torch', 'sklearn', 'kfp'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, cwd=Path(__file__).parents[4])
    assert (tmp_path / "report.html").is_file()
