# SPDX-License-Identifier: Apache-2.0
"""What passes between a protocol and the model: a request that can become a batch, and an answer to write down."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from kelp.frame.block import NumberColumns
from kelp.frame.online import Online
from kelp.frame.scorer import Scorer, Scores
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

    def raw(self, transform: Transform) -> Values:
        """The declared raw columns that came, of a request that was answered and not transformed by its caller."""


class Answer(NamedTuple):
    """One entry a row.

    Attributes:
        scores: the probability of the positive class, the value, or the greatest probability of several classes.
        labels: empty for a regression.
        probabilities: empty unless there are several classes.
        classes: whose names and order those of `probabilities` are.
        features: the rows, if they came transformed.
        numbers: the rows, if all columns are numbers and came raw.
        windows: that the rows were scored with, by name; empty if the model has none or `features` are there.
    """

    scores: list[float]
    labels: list[str]
    probabilities: list[list[float]]
    classes: tuple[str, ...]
    features: Matrix | None = None
    numbers: NumberColumns | None = None
    windows: Mapping[str, Column] = MappingProxyType({})


def answer(online: Online, request: Request) -> Answer:
    """Score a request.

    Raises:
        RequestError: the request does not fit the model.
        IntegrityError: the model answered something that is no score.
    """
    scorer = online.scorer
    transform = scorer.transform
    batch = request.batch(transform)
    if not isinstance(batch, Mapping):
        return _answer(scorer, scorer.score(batch), features=batch)
    columns = online.complete(batch, request.cell)
    windows = {window.name: columns[window.name] for window in transform.windows}
    numbers = batch if isinstance(batch, NumberColumns) and not transform.private else None
    return _answer(scorer, scorer.score_columns(columns), numbers=numbers, windows=windows)


def _answer(scorer: Scorer, scores: Scores, **came: Any) -> Answer:
    is_multiclass = scorer.transform.is_multiclass
    greatest = scores.max(axis=1) if is_multiclass else scores
    probabilities = scores.tolist() if is_multiclass else []
    return Answer(greatest.tolist(), scorer.label(scores), probabilities, scorer.transform.classes, **came)
