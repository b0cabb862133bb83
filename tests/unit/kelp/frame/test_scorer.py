# SPDX-License-Identifier: Apache-2.0
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kelp.errors import DataError, IntegrityError
from kelp.frame.rows import columns_from_instances
from kelp.frame.scorer import Scorer, check_golden
from kelp.frame.transform import Transform

WriteVersion = Callable[[Transform], Path]
CLASSES = {"binary": ("false", "true"), "multiclass": ("high", "low", "none"), "regression": ()}
ROW = {"amount": 3.0, "items": 2, "is_foreign": True, "merchant": "shop", "at": "2024-05-01T10:00:00Z"}
TOTAL = (3 + 2 + 1 + 2 + 10 + 2 + 5) / 100


def for_task(transform: Transform, task: str) -> Transform:
    return Transform.model_validate({**transform.model_dump(), "task": task, "classes": CLASSES[task]})


@pytest.mark.parametrize(
    ("task", "expected", "label"),
    [
        pytest.param("binary", 1 / (1 + np.exp(-TOTAL)), ["true"], id="binary"),
        pytest.param("regression", TOTAL, [], id="regression"),
        pytest.param(
            "multiclass", np.exp([TOTAL, 2 * TOTAL, 3 * TOTAL]) / np.exp([TOTAL, 2 * TOTAL, 3 * TOTAL]).sum(), ["none"],
            id="multiclass",
        ),
    ],
)  # fmt: skip
def test_scores_and_labels_of_raw_columns(
    payments: Transform, write_version: WriteVersion, task: str, expected: Any, label: list[str]
) -> None:
    scorer = Scorer.load(write_version(for_task(payments, task)))
    scores = scorer.score_columns(columns_from_instances(scorer.transform, [ROW]))
    np.testing.assert_allclose(scores[0], expected, rtol=1e-6)
    assert scores.dtype == np.float32
    assert scorer.label(scores) == label


def test_label_is_positive_from_one_half_on(payments: Transform) -> None:
    scorer = Scorer(payments, session=None)
    assert scorer.label(np.array([0.49999, 0.5], dtype=np.float32)) == ["false", "true"]


@pytest.mark.parametrize("name", ["model.onnx", "transform.json", "golden.json"])
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.unlink(), id="missing"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]), id="truncated"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), id="a-folder"),
    ],
)
def test_missing_or_corrupt_file_is_named(
    payments: Transform, write_version: WriteVersion, name: str, damage: Callable[[Path], object]
) -> None:
    folder = write_version(payments)
    damage(folder / name)
    with pytest.raises(IntegrityError) as caught:
        check_golden(folder)
    assert caught.value.place == str(folder / name)
    assert caught.value.fix


def test_model_of_another_width_is_refused(payments: Transform, write_version: WriteVersion) -> None:
    folder = write_version(payments)
    narrower = payments.model_copy(update={"features": payments.features[:-1]})
    (folder / "transform.json").write_text(narrower.to_json())
    with pytest.raises(IntegrityError, match=r"float32 \[n, 6\]"):
        Scorer.load(folder)


class _Answers:
    """A session whose model always answers the same."""

    def __init__(self, answer: list[Any]) -> None:
        self.answer = np.array(answer, dtype=np.float32)

    def run(self, outputs: list[str], inputs: dict[str, Any]) -> list[Any]:
        return [self.answer]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param([0.5], id="few"),
        pytest.param([[0.5], [0.5]], id="another-shape"),
    ],
)
def test_answer_that_is_no_score_is_an_error(payments: Transform, answer: list[Any]) -> None:
    scorer = Scorer(payments, _Answers(answer))
    with pytest.raises(IntegrityError, match=r"model\.onnx"):
        scorer.score(np.zeros((2, payments.width), dtype=np.float32))


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_row_without_a_finite_score_is_named(payments: Transform, score: float) -> None:
    scorer = Scorer(payments, _Answers([0.5, score]))
    with pytest.raises(DataError, match="row 1: expected numbers that the model can score"):
        scorer.score(np.zeros((2, payments.width), dtype=np.float32))


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_untouched_version_answers_its_golden_rows(payments: Transform, write_version: WriteVersion, task: str) -> None:
    check_golden(write_version(for_task(payments, task)))


def test_golden_score_that_differs_names_its_row(payments: Transform, write_version: WriteVersion) -> None:
    folder = write_version(payments)
    golden = json.loads((folder / "golden.json").read_text())
    golden["scores"][1][0] += 1e-5
    (folder / "golden.json").write_text(json.dumps(golden))
    with pytest.raises(IntegrityError, match=r"golden.json: rows\[1\]"):
        check_golden(folder)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"rows": [[1]]}, id="row-too-short"),
        pytest.param({"rows": [], "scores": []}, id="no-rows"),
        pytest.param({"scores": [0.5, 0.5]}, id="scores-not-listed-per-row"),
        pytest.param({"scores": [[0.5, 0.5]]}, id="another-count-of-scores"),
        pytest.param({"columns": ["a", "b", "c", "d", "e"]}, id="other-columns"),
        pytest.param({"scores": "high"}, id="no-list"),
    ],
)
def test_malformed_golden_file_is_refused(
    payments: Transform, write_version: WriteVersion, change: dict[str, Any]
) -> None:
    folder = write_version(payments)
    golden = json.loads((folder / "golden.json").read_text())
    (folder / "golden.json").write_text(json.dumps({**golden, **change}))
    with pytest.raises(IntegrityError, match=r"golden\.json"):
        check_golden(folder)


def test_scores_do_not_depend_on_where_the_folder_is(
    payments: Transform, write_version: WriteVersion, tmp_path: Path
) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(write_version(payments), moved, ignore=shutil.ignore_patterns("elsewhere"))
    check_golden(moved)
