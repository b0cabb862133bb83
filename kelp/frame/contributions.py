# SPDX-License-Identifier: Apache-2.0
"""Contributions: how much each feature moved a score away from the model's usual one, for any version.

    tree_shap   exact, of a version with XGBoost's own `model.ubj`, where xgboost is installed: on the scale of the
                trees' sum (the margin; log-odds for classes), path-dependent (Lundberg et al. 2020,
                doi:10.1038/s42256-019-0138-9)
    sampling    of every other version, from the ONNX model and the training rows in `reference.parquet`: on the
                scale of the score, interventional, an estimate with a standard error (see `kelp.frame.shapley`)

The two answer different questions where features depend on each other; neither says what would happen if a value were
changed in the world. Called by `kelp explain` and `serving.explain`.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from kelp.errors import IntegrityError
from kelp.frame.arrow import columns_from_table
from kelp.frame.scorer import RESTORE, Scorer
from kelp.frame.shapley import Floats, estimate, standard_error
from kelp.frame.transform import Matrix, Transform

REFERENCE_FILE = "reference.parquet"
BOOSTER_FILE = "model.ubj"
TOLERANCE = 1e-4  # of 1 or, if that is more, of the sizes added up: XGBoost does it in float32
PAIRS = 100
SEED = 0
_AGREEMENT = 1e-4  # of the trees and the ONNX model, relative to the largest score or 1
_ROWS_TO_COMPARE = 64

Positions = NDArray[np.intp]
Method = Literal["tree_shap", "sampling"]
Scale = Literal["margin", "score"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Contribution:
    """One row: `base` and the contributions add up to `total`, the prediction on `scale`, within `TOLERANCE`.

    Attributes:
        scale: `score` if the total is the score itself.
        score: as the model answers it; of several classes that of `class_name`.
        class_name: whose score it is: the positive class, or the most probable one; empty without classes.
        base: what the model answers on average.
        features: by feature, float64, shape (width,).
        columns: by raw column or window; its features summed up (the parts of a time, the words of a text).
        errors: standard error of each of `columns`; None if they are exact.
    """

    method: Method
    scale: Scale
    base: float
    total: float
    score: float
    class_name: str
    features: Floats
    columns: dict[str, float]
    errors: dict[str, float] | None


@dataclass(frozen=True, slots=True)
class Explainer:
    """Explains the scores of one scorer: by its trees, or without them (None) from reference rows, shape (n, width)."""

    scorer: Scorer
    reference: Matrix
    booster: Any = None

    @classmethod
    def load(cls, folder: Path, scorer: Scorer) -> Self:
        """Load what explains the version in `folder`, whose scorer is loaded already.

        Raises:
            IntegrityError: `reference.parquet` is missing, corrupt or does not fit the scorer.
        """
        reference = _reference(folder / REFERENCE_FILE, scorer.transform)
        return cls(scorer, reference, _booster(folder / BOOSTER_FILE, scorer, reference))

    def explain(self, matrix: Matrix) -> list[Contribution]:
        """Explain each row of a matrix of shape (n, width), of several classes the one it is answered with.

        Raises:
            IntegrityError: the model answers something that is no score, or the contributions do not add up to it.
        """
        scores = self.scorer.score(matrix).reshape(len(matrix), -1)
        chosen = scores.argmax(axis=1)  # 0 unless there are several classes
        if self.booster is not None:
            return list(self._by_trees(matrix, scores, chosen))
        return [self._by_sampling(row, float(scores[at, chosen[at]]), chosen[at]) for at, row in enumerate(matrix)]

    def _by_trees(self, matrix: Matrix, scores: Matrix, chosen: Positions) -> Iterator[Contribution]:
        """XGBoost's own TreeSHAP."""
        import xgboost

        rows = xgboost.DMatrix(matrix, nthread=1)
        margins = self.booster.predict(rows, output_margin=True).reshape(scores.shape)
        shares = self.booster.predict(rows, pred_contribs=True).reshape(*scores.shape, matrix.shape[1] + 1)
        scale: Scale = (
            "score" if np.array_equal(margins, self.booster.predict(rows).reshape(scores.shape)) else "margin"
        )
        for row, position in enumerate(chosen):
            total, found = float(margins[row, position]), shares[row, position].astype(np.float64)
            if abs(found.sum() - total) > TOLERANCE * max(1.0, float(np.abs(found).sum())):
                raise IntegrityError(
                    f"expected contributions that add up to {total:g}, found {found.sum():g}", place=BOOSTER_FILE
                )
            yield Contribution(
                method="tree_shap",
                scale=scale,
                base=float(found[-1]),
                total=total,
                score=float(scores[row, position]),
                class_name=self._class(position),
                features=found[:-1],
                columns=_floats(_sums(self.scorer.transform, found[:-1])),
                errors=None,
            )

    def _by_sampling(self, row: Matrix, total: float, position: np.intp) -> Contribution:
        def score(matrix: Matrix) -> Floats:
            return np.asarray(self.scorer.score(matrix).reshape(len(matrix), -1)[:, position], dtype=np.float64)

        found = estimate(score, row, self.reference, pairs=PAIRS, seed=SEED)
        features, transform = found.draws.mean(axis=0), self.scorer.transform
        draws = _sums(transform, found.draws.T)
        return Contribution(
            method="sampling",
            scale="score",
            base=found.base,
            total=total,
            score=total,
            class_name=self._class(position),
            features=features,
            columns=_floats(_sums(transform, features)),
            errors=_floats({name: standard_error(column) for name, column in draws.items()}),
        )

    def _class(self, position: np.intp) -> str:
        transform = self.scorer.transform
        if transform.is_multiclass:
            return transform.classes[position]
        return transform.classes[1] if transform.classes else ""


def _floats(numbers: Mapping[str, Floats]) -> dict[str, float]:
    return {name: float(number) for name, number in numbers.items()}


def _sums(transform: Transform, features: Floats) -> dict[str, Floats]:
    """Sum entries of the first axis, one a feature, by raw column or window, in the order of the features."""
    names = [feature.column for feature in transform.features]
    return {
        name: features[[position for position, other in enumerate(names) if other == name]].sum(axis=0)
        for name in dict.fromkeys(names)
    }


def _reference(path: Path, transform: Transform) -> Matrix:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
    except (OSError, pa.ArrowException) as error:
        raise IntegrityError(f"cannot be read ({error})", place=str(path), fix=RESTORE) from error
    if not table.num_rows:
        raise IntegrityError("expected one or more rows, found none", place=str(path), fix=RESTORE)
    return transform.apply(columns_from_table(transform, table))


def _booster(path: Path, scorer: Scorer, reference: Matrix) -> Any:
    """The trees, if they are there and are what is served: a trainer of one's own may keep others under that name."""
    if not path.exists():
        return None
    try:
        import xgboost
    except ImportError:
        logger.warning("xgboost is not installed: scores are explained by sampling, not by the trees of %s", path)
        return None
    try:
        booster = xgboost.Booster({"nthread": 1}, model_file=path)
        rows = reference[:_ROWS_TO_COMPARE]
        answers = booster.predict(xgboost.DMatrix(rows, nthread=1))
    except xgboost.core.XGBoostError as error:
        raise IntegrityError("is not a model of XGBoost", place=str(path), fix=RESTORE) from error
    scores = scorer.score(rows)
    limit = _AGREEMENT * max(1.0, float(np.abs(scores).max()))
    if answers.shape != scores.shape or float(np.abs(answers - scores).max()) > limit:
        logger.warning("%s answers otherwise than the model that is served: scores are explained by sampling", path)
        return None
    return booster
