# SPDX-License-Identifier: Apache-2.0
"""The systems that are compared: candidate, champion, legacy and dummy, each as scores on the held-out rows."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from components.evaluate.comparison import Absence
from components.evaluate.holdout import KINDS, Holdout
from components.evaluate.intervals import MIN_SUPPORT
from components.evaluate.metrics import LABEL_METRICS, PROBABILITY_METRICS, names_of
from components.evaluate.resampling import System
from components.evaluate.truth import FloatArray
from kelp.errors import DataError, IntegrityError, NotFound
from kelp.frame.arrow import columns_from_table
from kelp.frame.scorer import MODEL_FILE, Scorer
from kelp.frame.session import open_session
from kelp.frame.transform import Column, Transform, Window

logger = logging.getLogger(__name__)

NO_CHAMPION = Absence("no champion yet", is_pass=True)
MIN_LEGACY_SHARE = 0.01
BATCH = 65_536  # rows that are scored at once
NO_LEGACY = Absence("no legacy scores in the data; set spec.legacy.column")


def candidate(holdout: Holdout, trained: Path) -> System:
    """Score the held-out rows with the model that was just trained, through the file that will be served.

    Raises:
        NotFound: there is no model.onnx.
        IntegrityError: it is no model of these features, or it gives scores that do not fit the task.
    """
    path = trained / MODEL_FILE
    if not path.is_file():
        raise NotFound("expected the model that train writes", place=str(path), fix="run train first")
    scorer = Scorer(holdout.transform, open_session(path, holdout.transform.width))
    batches = [
        scorer.score(holdout.features[start : start + BATCH]) for start in range(0, len(holdout.features), BATCH)
    ]
    return _whole("candidate", _checked(np.concatenate(batches), holdout, str(path)), holdout)


def champion(holdout: Holdout, folder: Path | None) -> System | Absence:
    """Score the same raw rows with the present champion, through its own transform.

    A champion that cannot read today's rows (a column is gone, other classes, a window that is defined otherwise) is
    absent with the reason; gates that name it are then undecided, not passed.

    Raises:
        IntegrityError: the champion's files are not what was registered.
    """
    if folder is None:
        return NO_CHAMPION
    scorer = Scorer.load(folder)
    mine, theirs = holdout.transform, scorer.transform
    if (KINDS.get(theirs.task, theirs.task), theirs.classes) != (holdout.truth.task, holdout.classes):
        return Absence(f"the champion answers another question ({', '.join((theirs.task, *theirs.classes))})")
    differing = differing_windows(mine, theirs)
    if differing:
        names = ", ".join(map(repr, differing))
        logger.warning("the champion is not compared: it defines the windows %s otherwise", names)
        return Absence(f"the champion defines the windows {names} otherwise, and the rows hold this run's")
    try:
        score = scorer.score_columns(_columns(theirs, holdout))
    except DataError as error:
        logger.warning("the champion could not score the held-out rows: %s", error)
        return Absence(f"the champion cannot score these rows: {error}")
    return _whole("champion", _checked(score, holdout, str(folder)), holdout)


def differing_windows(mine: Transform, theirs: Transform) -> list[str]:
    """Return the windows of theirs that mine lacks or defines otherwise; the unit, fitted to the data, may differ."""
    known = {window.name: _defined(window) for window in mine.windows}
    return [window.name for window in theirs.windows if known.get(window.name) != _defined(window)]


def _defined(window: Window) -> Window:
    return window.model_copy(update={"unit": 1.0})


def _columns(transform: Transform, holdout: Holdout) -> Mapping[str, Column]:
    """Return the raw columns of a transform, and its windows, from the held-out rows."""
    columns = columns_from_table(transform, holdout.raw)
    for window in transform.windows:
        if window.name not in holdout.raw.column_names:
            raise DataError("the window is absent", place=f"window {window.name}", fix="run prepare again")
        columns[window.name] = np.array(holdout.raw.column(window.name), dtype=np.float64)
    return columns


def legacy(holdout: Holdout) -> System | Absence:
    """Return the legacy system's scores; those outside [0, 1] allow only ranking metrics.

    Rows without a legacy score take no part in the comparison, on either side.
    """
    if holdout.legacy is None:
        return NO_LEGACY
    task, rows = holdout.truth.task, np.isfinite(holdout.legacy)
    if task == "multiclass":
        return Absence("one legacy column cannot hold the scores of several classes")
    if rows.sum() < MIN_SUPPORT or rows.mean() < MIN_LEGACY_SHARE:
        return Absence(f"only {rows.sum():,} of {len(rows):,} rows have a legacy score")
    score, metrics = np.where(rows, holdout.legacy, 0.0), frozenset(names_of(task))
    note = "" if rows.all() else f"scored {rows.sum():,} of {len(rows):,} rows; compared on those"
    if task == "binary" and (score.min() < 0 or score.max() > 1):
        note = "its scores are not probabilities, so only ranking is compared"
        metrics -= PROBABILITY_METRICS | LABEL_METRICS
        score = np.unique(score, return_inverse=True)[1] / len(score)
    return System("legacy", score, rows, metrics, note)


def dummy(holdout: Holdout) -> System:
    """Return what one can say without a model: the training part's class shares or mean, or the naive forecast."""
    rows, task = len(holdout.target), holdout.truth.task
    if holdout.series is not None:
        filled = holdout.series.filled
        note = "the seasonal naive forecast" + (
            f"; {filled:,} rows have none and take a mean of the training part" if filled else ""
        )
        return _whole("dummy", holdout.series.naive, holdout, note)
    if task == "regression":
        return _whole("dummy", np.full(rows, holdout.train_target.mean()), holdout)
    counts = np.bincount(holdout.train_target.astype(np.intp), minlength=len(holdout.classes))
    shares = counts / counts.sum()
    score = np.full(rows, shares[1]) if task == "binary" else np.tile(shares, (rows, 1))
    return _whole("dummy", score, holdout)


def _whole(name: str, score: FloatArray, holdout: Holdout, note: str = "") -> System:
    return System(name, score, np.ones(len(holdout.target), dtype=bool), frozenset(names_of(holdout.truth.task)), note)


def _checked(score: Column, holdout: Holdout, place: str) -> FloatArray:
    """Return what a model answered as float64; its shape was checked, and that it is finite."""
    if holdout.truth.task == "binary" and (score.min() < 0 or score.max() > 1):
        raise IntegrityError("expected probabilities from 0 to 1", place=place, fix="run train again")
    return score.astype(np.float64)
