# SPDX-License-Identifier: Apache-2.0
"""What passes between a protocol and the model: a request that can become a batch, and an answer to write down."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from kelp.frame.scorer import Scorer, Scores
from kelp.frame.transform import Column, Matrix, Transform

Batch = Mapping[str, Column] | Matrix
"""Raw columns, or a matrix that is already transformed."""


class Request(Protocol):
    """A parsed request of either protocol."""

    @property
    def row_count(self) -> int:
        """How many rows it seems to have; only `batch` knows for certain."""

    def batch(self, transform: Transform) -> Batch:
        """Convert its rows; raises RequestError naming the first wrong value."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One entry a row.

    `scores` is the probability of the positive class, the value, or the greatest probability of several classes.
    `labels` is empty for a regression; `probabilities` is empty unless there are several classes, whose names and
    order are those of `classes`.
    """

    scores: list[float]
    labels: list[str]
    probabilities: list[list[float]]
    classes: tuple[str, ...]


def answer(scorer: Scorer, request: Request) -> Answer:
    """Score a request.

    Raises:
        RequestError: the request does not fit the model.
        IntegrityError: the model answered something that is no score.
    """
    batch = request.batch(scorer.transform)
    scores: Scores = scorer.score_columns(batch) if isinstance(batch, Mapping) else scorer.score(batch)
    greatest = scores.max(axis=1) if scorer.transform.is_multiclass else scores
    return Answer(
        scores=greatest.tolist(),
        labels=scorer.label(scores),
        probabilities=scores.tolist() if scorer.transform.is_multiclass else [],
        classes=scorer.transform.classes,
    )
