# SPDX-License-Identifier: Apache-2.0
"""What passes between a protocol and the model: a request that can become a batch, and an answer to write down."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from kelp.frame.online import Online
from kelp.frame.scorer import Scores
from kelp.frame.transform import Column, Matrix, Transform

Batch = Mapping[str, Column] | Matrix
"""Raw columns, maybe with windows, or a matrix that is already transformed."""


Values = dict[str, list[Any]]
"""JSON values by name, one a row."""


class Request(Protocol):
    """A parsed request of either protocol."""

    @property
    def row_count(self) -> int:
        """How many rows it seems to have; only `batch` knows for certain."""

    def batch(self, transform: Transform) -> Batch:
        """Convert its rows; raises RequestError naming the first wrong value."""

    def cell(self, column: str, row: int) -> str:
        """Name a value in a message."""

    def raw(self, transform: Transform) -> tuple[Values, Values]:
        """What came, of a request that was answered: declared raw columns, or else features."""


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


def answer(online: Online, request: Request) -> Answer:
    """Score a request.

    Raises:
        RequestError: the request does not fit the model.
        IntegrityError: the model answered something that is no score.
    """
    scorer = online.scorer
    batch = request.batch(scorer.transform)
    scores: Scores = online.score_columns(batch, request.cell) if isinstance(batch, Mapping) else scorer.score(batch)
    greatest = scores.max(axis=1) if scorer.transform.is_multiclass else scores
    return Answer(
        scores=greatest.tolist(),
        labels=scorer.label(scores),
        probabilities=scores.tolist() if scorer.transform.is_multiclass else [],
        classes=scorer.transform.classes,
    )
