# SPDX-License-Identifier: Apache-2.0
"""The kernel takes arrays that fit, and refuses all others without reading what is not theirs."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.trees._kernel import MAX_WIDTH, NONE, SIGMOID, SOFTMAX, Forest

ROOT = Path(__file__).parents[4]
NAN, INF = float("nan"), float("inf")


def stumps(**changes: Any) -> dict[str, Any]:
    """Two trees over two features: `x[0] < 0.5 ? 1 : 2`, and the leaf 10."""
    return {
        "thresholds": np.array([0.5, 2, 1, 10], dtype=np.float32),
        "features": np.array([0, 2, 2, 2], dtype=np.uint16),
        "steps": np.array([1, 0, 0, 0], dtype=np.uint16),
        "roots": np.array([0, 3], dtype=np.int32),
        "depths": np.array([1, 0], dtype=np.int32),
        "targets": np.array([0, 0], dtype=np.int32),
        "base": np.array([100], dtype=np.float32),
        "width": 2,
        "post": NONE,
        **changes,
    }


def scored(forest: Forest, rows: Any) -> list[list[float]]:
    matrix = np.array(rows, dtype=np.float32)
    scores = np.empty((len(matrix), 1), dtype=np.float32)
    forest.score(matrix, scores)
    return [list(map(float, row)) for row in scores]


@pytest.mark.parametrize("count", [1, 7, 8, 16, 17, 100])
def test_leaves_are_added_to_the_base(count: int) -> None:
    rows = [[0.4, NAN], [0.5, INF], [-INF, 0.0], [INF, 0.0], [NAN, 0.0]] * 20
    expected = [[111.0], [112.0], [111.0], [112.0], [112.0]] * 20
    assert scored(Forest(**stumps()), rows[:count]) == expected[:count]


@pytest.mark.parametrize("value", [-1000.0, -80.0, -20.0, -1.0, -0.0, 0.0, 1e-3, 5.0, 80.0, 1000.0, INF, -INF, NAN])
def test_the_sigmoid_is_that_of_float64(value: float) -> None:
    forest = Forest(**stumps(base=np.array([value - 11], dtype=np.float32), post=SIGMOID))
    margin = np.float64(np.float32(value - 11) + np.float32(11))
    with np.errstate(over="ignore"):
        expected = 1 / (1 + np.exp(-margin))
    np.testing.assert_allclose(scored(forest, [[0, 0]]), [[expected]], rtol=1e-7, atol=1e-34)


def test_the_softmax_is_that_of_float64() -> None:
    sums = np.array([1.0, -3.0, 700.0, 699.5, 12.0], dtype=np.float32)
    forest = Forest(**stumps(base=sums, post=SOFTMAX))
    scores = np.empty((1, 5), dtype=np.float32)
    forest.score(np.zeros((1, 2), dtype=np.float32), scores)
    powers = np.exp(np.array([12, *sums[1:]], dtype=np.float64) - 700)
    np.testing.assert_allclose(scores[0], powers / powers.sum(), rtol=1e-7, atol=1e-34)


REFUSED = [
    pytest.param({"thresholds": np.zeros(3, np.float32)}, id="a threshold less"),
    pytest.param({"thresholds": np.zeros(4, np.float64)}, id="float64"),
    pytest.param({"thresholds": np.zeros((2, 2), np.float32)}, id="two dimensions"),
    pytest.param({"thresholds": np.zeros(8, np.float32)[::2]}, id="gaps"),
    pytest.param({"thresholds": np.zeros(4, ">f4")}, id="another byte order"),
    pytest.param({"thresholds": np.frombuffer(b"\0" * 17, np.float32, 4, 1)}, id="not aligned"),
    pytest.param({"thresholds": memoryview(b"\0" * 20)[2:18].cast("f")}, id="not aligned, and said to be"),
    pytest.param({"thresholds": b"\0" * 16}, id="bytes"),
    pytest.param({"thresholds": [0.5, 2, 1, 10]}, id="a list"),
    pytest.param({"thresholds": None}, id="None"),
    pytest.param({"features": np.array([0, 2, 2, 2], np.int16)}, id="features with a sign"),
    pytest.param({"features": np.array([3, 2, 2, 2], np.uint16)}, id="a feature too many"),
    pytest.param({"features": np.array([0, 2, 2, 1], np.uint16)}, id="a step beyond the last node by one"),
    pytest.param({"features": np.array([0, 2, 2], np.uint16)}, id="a feature less"),
    pytest.param({"steps": np.array([3, 0, 0, 0], np.uint16)}, id="a step beyond the last node"),
    pytest.param({"steps": np.array([1, 0, 0, 65535], np.uint16)}, id="a long step from the last node"),
    pytest.param({"steps": np.array([1, 0, 0, 0, 0], np.uint16)}, id="a step more"),
    pytest.param({"roots": np.array([0, 4], np.int32)}, id="a root beyond the last node"),
    pytest.param({"roots": np.array([0, -1], np.int32)}, id="a root before the first"),
    pytest.param({"roots": np.array([0, 3], np.int64)}, id="int64"),
    pytest.param({"roots": np.array([0], np.int32)}, id="a root less"),
    pytest.param({"roots": np.array([], np.int32)}, id="no root"),
    pytest.param({"depths": np.array([1, -1], np.int32)}, id="a negative depth"),
    pytest.param({"depths": np.array([2**31 - 1, 0], np.int32)}, id="a depth without end"),
    pytest.param({"depths": np.array([2, 2], np.int32)}, id="more steps than nodes"),
    pytest.param({"depths": np.array([0, 0], np.int32)}, id="no step from a branch"),
    pytest.param({"targets": np.array([0, 1], np.int32)}, id="a target too many"),
    pytest.param({"targets": np.array([-1, 0], np.int32)}, id="a negative target"),
    pytest.param({"base": np.array([], np.float32)}, id="no target"),
    pytest.param({"width": 0}, id="no width"),
    pytest.param({"width": -1}, id="a negative width"),
    pytest.param({"width": MAX_WIDTH + 1}, id="too wide"),
    pytest.param({"post": -1}, id="no such post"),
    pytest.param({"post": 3}, id="no such post either"),
]


@pytest.mark.parametrize("changes", REFUSED)
def test_arrays_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    Forest(**stumps())
    with pytest.raises(ValueError, match="expected"):
        Forest(**stumps(**changes))


@pytest.mark.parametrize(
    ("rows", "scores"),
    [
        pytest.param(np.zeros((3, 1), np.float32), np.zeros((3, 1), np.float32), id="too narrow"),
        pytest.param(np.zeros((3, 3), np.float32), np.zeros((3, 1), np.float32), id="too wide"),
        pytest.param(np.zeros(2, np.float32), np.zeros((1, 1), np.float32), id="one dimension"),
        pytest.param(np.zeros((3, 2), np.float64), np.zeros((3, 1), np.float32), id="float64"),
        pytest.param(np.zeros((3, 2), np.float32), np.zeros((2, 1), np.float32), id="too few scores"),
        pytest.param(np.zeros((3, 2), np.float32), np.zeros((3, 2), np.float32), id="too many scores"),
        pytest.param(np.zeros((3, 2), np.float32), np.zeros((3, 2), np.float32)[:, :1], id="scores with gaps"),
        pytest.param(np.zeros((3, 2), np.float32), np.zeros((3, 1), np.float64), id="scores in float64"),
        pytest.param(np.zeros((3, 2), np.float32), memoryview(b"\0" * 12).cast("f", (3, 1)), id="scores to be read"),
        pytest.param("rows", np.zeros((3, 1), np.float32), id="a string"),
    ],
)
def test_rows_and_scores_that_do_not_fit_are_refused(rows: Any, scores: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        Forest(**stumps()).score(rows, scores)


def test_the_arrays_are_copied() -> None:
    arrays = stumps()
    forest = Forest(**arrays)
    for name in ("thresholds", "features", "steps", "roots", "depths", "targets", "base"):
        arrays[name][:] = 77
    assert scored(forest, [[0, 0]] * 20) == [[111.0]] * 20


def test_threads_share_a_forest() -> None:
    rows = np.random.default_rng(1).random((20_000, 2), dtype=np.float32)
    expected = np.where(rows[:, :1] < 0.5, 111, 112)
    forest = Forest(**stumps())
    found = [np.empty((len(rows), 1), dtype=np.float32) for _ in range(4)]
    threads = [threading.Thread(target=forest.score, args=(rows, scores)) for scores in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for scores in found:
        np.testing.assert_array_equal(scores, expected)


GARBAGE = """
import numpy as np
from serving.trees._kernel import Forest

random = np.random.default_rng(5)
taken = 0
for turn in range(4000):
    nodes, trees, targets, width = map(int, random.integers(1, (40, 5, 4, 6)))
    arrays = [
        np.frombuffer(random.bytes(4 * nodes), np.float32),
        random.integers(0, width + 1, nodes).astype(np.uint16),
        (random.integers(0, 3, nodes) * (np.arange(nodes) < nodes - 3)).astype(np.uint16),
        random.integers(0, nodes, trees).astype(np.int32),
        random.integers(0, 4, trees).astype(np.int32),
        random.integers(0, targets, trees).astype(np.int32),
        np.frombuffer(random.bytes(4 * targets), np.float32),
    ]
    arrays[1][-3:] = width
    for place in range(turn % 3):  # what nobody would call a tree
        array = arrays[random.integers(1, 6)]
        array[random.integers(len(array))] = np.frombuffer(random.bytes(4), array.dtype)[0] >> random.integers(0, 14)
    try:
        forest = Forest(*arrays, width, turn % 3)
    except ValueError:
        continue
    taken += 1
    for count in (1, 9, 40):
        rows = np.frombuffer(random.bytes(4 * count * width), np.float32).reshape(count, width)
        forest.score(rows, np.empty((count, targets), np.float32))
print(taken)
"""


def test_arrays_of_garbage_cannot_crash_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", GARBAGE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert 500 < int(done.stdout) < 3500  # of 4,000; the others are refused
