# SPDX-License-Identifier: Apache-2.0
"""The systems that are compared: candidate, champion, legacy and dummy, each as scores on the held-out rows."""

import logging
from pathlib import Path

import numpy as np

from components.evaluate.comparison import Absence, System
from components.evaluate.holdout import Holdout
from components.evaluate.intervals import MIN_SUPPORT
from components.evaluate.metrics import LABEL_METRICS, PROBABILITY_METRICS, FloatArray, names_of
from kelp.errors import DataError, IntegrityError, NotFound

logger = logging.getLogger(__name__)

NO_CHAMPION = Absence("no champion yet", is_pass=True)
MIN_LEGACY_SHARE = 0.01
NO_LEGACY = Absence("no legacy scores in the data; set spec.legacy.column")


def candidate(task: str, holdout: Holdout, trained: Path) -> System:
    """Score the held-out rows with the model that was just trained.

    Raises:
        NotFound: there is no model.ubj.
        IntegrityError: XGBoost cannot read it, or it gives scores that do not fit the task.
    """
    import xgboost

    path = trained / "model.ubj"
    if not path.is_file():
        raise NotFound("expected the model that train writes", place=str(path), fix="run train first")
    try:
        score = xgboost.Booster(model_file=path).inplace_predict(holdout.features)
    except xgboost.core.XGBoostError as error:
        message = str(error).strip().splitlines()[-1]
        raise IntegrityError(f"XGBoost cannot use it: {message}", place=str(path), fix="run train again") from error
    return _whole(task, "candidate", _checked(task, np.asarray(score, np.float64), holdout, str(path)), holdout)


def champion(task: str, holdout: Holdout, folder: Path | None) -> System | Absence:
    """Score the same raw rows with the present champion, through its own transform.

    A champion that cannot read today's rows (a column is gone, other classes) is absent with the reason; gates that
    name it are then undecided, not passed.

    Raises:
        IntegrityError: the champion's files are not what was registered.
    """
    from kelp.frame.arrow import columns_from_table
    from kelp.frame.scorer import Scorer

    if folder is None:
        return NO_CHAMPION
    scorer = Scorer.load(folder)
    if (scorer.transform.task, scorer.transform.classes) != (task, holdout.classes):
        theirs = ", ".join((scorer.transform.task, *scorer.transform.classes))
        return Absence(f"the champion answers another question ({theirs})")
    try:
        score = scorer.score_columns(columns_from_table(scorer.transform, holdout.raw))
    except DataError as error:
        logger.warning("the champion could not score the held-out rows: %s", error)
        return Absence(f"the champion cannot score these rows: {error}")
    return _whole(task, "champion", _checked(task, np.asarray(score, np.float64), holdout, str(folder)), holdout)


def legacy(task: str, holdout: Holdout) -> System | Absence:
    """Return the legacy system's scores; those outside [0, 1] allow only ranking metrics.

    Rows without a legacy score take no part in the comparison, on either side.
    """
    if holdout.legacy is None:
        return NO_LEGACY
    rows = np.isfinite(holdout.legacy)
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


def dummy(task: str, holdout: Holdout) -> System:
    """Return what one can say without looking at a row: the training part's class shares, or its mean."""
    rows = len(holdout.target)
    if task == "regression":
        return _whole(task, "dummy", np.full(rows, holdout.train_target.mean()), holdout)
    counts = np.bincount(holdout.train_target.astype(np.intp), minlength=len(holdout.classes))
    shares = counts / counts.sum()
    score = np.full(rows, shares[1]) if task == "binary" else np.tile(shares, (rows, 1))
    return _whole(task, "dummy", score, holdout)


def _whole(task: str, name: str, score: FloatArray, holdout: Holdout) -> System:
    return System(name, score, np.ones(len(holdout.target), dtype=bool), frozenset(names_of(task)))


def _checked(task: str, score: FloatArray, holdout: Holdout, place: str) -> FloatArray:
    rows = len(holdout.target)
    expected = (rows, len(holdout.classes)) if task == "multiclass" else (rows,)
    if score.shape != expected:
        raise IntegrityError(f"expected scores of shape {expected}, found {score.shape}", place=place)
    if not np.isfinite(score).all():
        raise IntegrityError("expected finite scores, found NaN or infinity", place=place)
    if task == "binary" and (score.min() < 0 or score.max() > 1):
        raise IntegrityError("expected probabilities from 0 to 1", place=place)
    return score
