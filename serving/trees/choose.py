# SPDX-License-Identifier: Apache-2.0
"""Whether ONNX Runtime or the kernel scores a model of trees that was just loaded: measured, for few rows and many.

Only a server asks. Training, evaluation and the golden rows use ONNX Runtime alone: what they write is identified by
its digest, which MUST NOT depend on a measurement.
"""

import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from kelp.frame.scorer import GOLDEN_TOLERANCE, MODEL_FILE, Scorer, Scores
from kelp.frame.transform import Matrix
from serving.trees.ensemble import read_ensemble
from serving.trees.session import BySize, MakeForest, Session, TreeSession, compiled

logger = logging.getLogger(__name__)
warn_once = cache(logger.warning)

_DRAWN_ROWS = 256
_TURNS = {128: 2, 16: 4, 1: 8}  # batch sizes, and how often each is measured; the large ones first, which warm up
_UP_TO = {1: 4, 16: 45, 128: sys.maxsize}  # a size between two measured ones belongs to the nearer one, as a ratio

Clock = Callable[[], float]


def faster(
    scorer: Scorer,
    folder: Path,
    rows: Matrix,
    kernel: Callable[[], MakeForest | None] = compiled,
    clock: Clock = time.perf_counter,
) -> Scorer:
    """Give a scorer the session that was faster just now, for each batch size, if both answer alike.

    Args:
        scorer: as it was loaded, with its session of ONNX Runtime.
        folder: the version directory that it was loaded from.
        rows: such as it may be asked, shape (n, width), n >= 1; the answers for them are compared as well.
        kernel: makes forests; None if it is missing.
        clock: seconds.

    Returns:
        The scorer itself if its model is not of trees that we know, if the kernel is nowhere faster, or, with a
        warning, if it is missing, refuses the trees, or answers otherwise by more than 1e-6 + 1e-6 * |score|.

    Raises:
        IntegrityError: the model cannot be read any more.
    """
    ensemble = read_ensemble(folder / MODEL_FILE, scorer.transform.width)
    if ensemble is None:
        return scorer
    make = kernel()
    if make is None:
        warn_once("the compiled kernel for trees is missing; ONNX Runtime scores them, slower for more than a few rows")
        return scorer
    try:
        onnx, trees = scorer.session, TreeSession(ensemble, make(ensemble))
    except ValueError as error:
        logger.warning("the compiled kernel refuses %s, which ONNX Runtime goes on scoring: %s", folder, error)
        return scorer
    is_faster = _measured(onnx, trees, rows, clock)
    if is_faster is None:
        logger.warning(
            "the compiled kernel disagrees with ONNX Runtime about %s, which the latter goes on scoring", folder
        )
        return scorer
    logger.debug("batch sizes for which the compiled kernel is faster: %s", is_faster)
    if not any(is_faster.values()):
        return scorer
    parts = tuple((most, trees if is_faster[size] else onnx) for size, most in _UP_TO.items())
    return replace(scorer, session=trees if all(is_faster.values()) else BySize(parts))


def _measured(onnx: Session, trees: Session, rows: Matrix, clock: Clock) -> dict[int, bool] | None:
    """Whether the trees are faster in the turn that was least disturbed, for each batch size; None if they disagree."""
    drawn = _drawn(rows)
    # No turn sees the rows of another: the processor would learn to predict them.
    batches_of = {size: [drawn[turn * size :][:size] for turn in range(turns)] for size, turns in _TURNS.items()}
    is_faster = {}
    for size, batches in ((0, [rows]), *batches_of.items()):
        expected, onnx_s = _timed(onnx, batches, clock)
        found, trees_s = _timed(trees, batches, clock)
        if not all(map(_is_near, found, expected)):
            return None
        is_faster[size] = trees_s < onnx_s
    return {size: is_faster[size] for size in _TURNS}


def _drawn(rows: Matrix) -> Matrix:
    """Rows of which each cell is drawn from its column: there are more of them, and they differ in more than a few."""
    cells = np.random.default_rng(7).integers(0, len(rows), (_DRAWN_ROWS, rows.shape[1]))
    return np.take_along_axis(rows, cells, axis=0)


def _timed(session: Session, batches: Sequence[Matrix], clock: Clock) -> tuple[list[Scores], float]:
    """The answers, and the seconds that the fastest took."""
    answers, best_s = [], float("inf")
    for batch in batches:
        started = clock()
        answers.append(session.run(["score"], {"rows": batch})[0])
        best_s = min(best_s, clock() - started)
    return answers, best_s


def _is_near(found: Scores, expected: Scores) -> bool:
    is_alike = found.shape == expected.shape
    return is_alike and bool(np.isclose(found, expected, rtol=GOLDEN_TOLERANCE, atol=GOLDEN_TOLERANCE).all())
