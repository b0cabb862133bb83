# SPDX-License-Identifier: Apache-2.0
"""The clock decides between two that agree; every other case leaves the scorer as it was."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kelp.frame.scorer import MODEL_FILE, Scorer
from kelp.frame.transform import Matrix
from serving.trees.choose import faster, warn_once
from serving.trees.ensemble import Ensemble
from serving.trees.graph import Floats
from serving.trees.session import BySize, Forest, MakeForest, TreeSession, compiled
from tests.unit.components.train.matrices import a_transform
from tests.unit.serving.trees.models import Shape, a_model, onnx_session, rows_for

SHAPE = Shape("binary", trees=30)
ROWS = rows_for(SHAPE, 10)


class Clock:
    """Stands still, but for those who answer."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Onnx:
    """ONNX Runtime that takes a second a call; it counts its calls."""

    def __init__(self, content: bytes, clock: Clock) -> None:
        self.session, self.clock, self.calls = onnx_session(content), clock, 0

    def run(self, outputs: Sequence[str], feeds: Mapping[str, Matrix], /) -> Any:
        self.clock.now += 1
        self.calls += 1
        return self.session.run(outputs, feeds)


class Timed:
    """A forest that takes as long as it is told to, and answers as much too high."""

    def __init__(self, forest: Forest, clock: Clock, seconds: Callable[[int], float], error: Callable[[int], float]):
        self.forest, self.clock, self.seconds, self.error = forest, clock, seconds, error

    def score(self, rows: Floats, scores: Floats, /) -> None:
        self.clock.now += self.seconds(len(rows))
        self.forest.score(rows, scores)
        scores += np.float32(self.error(len(rows)))


def a_scorer(folder: Path, clock: Clock, content: bytes | None = None) -> Scorer:
    content = a_model(SHAPE).SerializeToString() if content is None else content
    (folder / MODEL_FILE).write_bytes(content)
    return Scorer(a_transform("binary", SHAPE.width), Onnx(content, clock))


def kernel(
    clock: Clock, seconds: Callable[[int], float], error: Callable[[int], float] = lambda count: 0.0
) -> Callable[[], MakeForest]:
    make = compiled()
    assert make is not None
    return lambda: lambda ensemble: Timed(make(ensemble), clock, seconds, error)


def refused(ensemble: Ensemble) -> Forest:
    raise ValueError("steps[3]: expected a step to a node")


FASTER = [
    pytest.param(lambda count: 0.5, (1, 4, 5, 45, 46, 1000), id="everywhere"),
    pytest.param(lambda count: 0.5 if count >= 16 else 1.5, (5, 45, 46, 1000), id="for some and for many"),
    pytest.param(lambda count: 0.5 if count >= 128 else 1.5, (46, 1000), id="for many"),
    pytest.param(lambda count: 0.5 if count <= 1 else 1.5, (1, 4), id="for few"),
]


@pytest.mark.parametrize(("seconds", "by_trees"), FASTER)
def test_each_batch_size_is_answered_by_what_was_faster(
    seconds: Callable[[int], float], by_trees: tuple[int, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    scorer = a_scorer(tmp_path, clock)
    chosen = faster(scorer, tmp_path, ROWS, kernel(clock, seconds), clock)
    assert isinstance(chosen.session, TreeSession if len(by_trees) == 6 else BySize)
    for count in (1, 4, 5, 45, 46, 1000):
        before = scorer.session.calls
        rows = rows_for(SHAPE, count)
        expected = scorer.session.session.run(["score"], {"rows": rows})[0]
        np.testing.assert_allclose(chosen.score(rows), expected, rtol=1e-6, atol=1e-6)
        assert (scorer.session.calls == before) == (count in by_trees)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("seconds", [1.0, 1.5], ids=["as fast", "slower"])
def test_a_kernel_that_is_nowhere_faster_is_not_used(seconds: float, tmp_path: Path) -> None:
    clock = Clock()
    scorer = a_scorer(tmp_path, clock)
    assert faster(scorer, tmp_path, ROWS, kernel(clock, lambda count: seconds), clock) is scorer


def test_the_turn_that_was_least_disturbed_counts(tmp_path: Path) -> None:
    clock = Clock()
    turns: dict[int, int] = {}

    def seconds(count: int) -> float:
        turns[count] = turns.get(count, 0) + 1
        return 0.5 if turns[count] == 2 else 100.0

    chosen = faster(a_scorer(tmp_path, clock), tmp_path, ROWS, kernel(clock, seconds), clock)
    assert isinstance(chosen.session, TreeSession)


@pytest.mark.parametrize("wrong", [10, 1, 16, 128], ids=["the given rows", "one row", "some rows", "many rows"])
def test_a_kernel_that_disagrees_is_not_used_and_that_is_said(
    wrong: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    scorer = a_scorer(tmp_path, clock)
    lying = kernel(clock, lambda count: 0.5, lambda count: 1e-5 if count == wrong else 0.0)
    assert faster(scorer, tmp_path, ROWS, lying, clock) is scorer
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "disagrees with ONNX Runtime" in record.message
    assert str(tmp_path) in record.message


def test_a_kernel_that_refuses_the_trees_is_not_used_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scorer = a_scorer(tmp_path, Clock())
    assert faster(scorer, tmp_path, ROWS, lambda: refused) is scorer
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "steps[3]: expected a step to a node" in record.message


def test_a_missing_kernel_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    warn_once.cache_clear()
    scorer = a_scorer(tmp_path, Clock())
    for _ in range(3):
        assert faster(scorer, tmp_path, ROWS, lambda: None) is scorer
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "the compiled kernel for trees is missing" in record.message


def test_a_model_without_trees_does_not_ask_for_the_kernel(tmp_path: Path) -> None:
    scorer = a_scorer(tmp_path, Clock())
    (tmp_path / MODEL_FILE).write_bytes(b"a network")
    assert faster(scorer, tmp_path, ROWS, pytest.fail) is scorer


def test_real_trees_on_a_real_clock_are_answered_alike(tmp_path: Path) -> None:
    clock = Clock()
    scorer = a_scorer(tmp_path, clock)
    chosen = faster(scorer, tmp_path, ROWS[:1])
    np.testing.assert_allclose(chosen.score(ROWS), scorer.score(ROWS), rtol=1e-6, atol=1e-6)
