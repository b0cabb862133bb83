# SPDX-License-Identifier: Apache-2.0
"""What a network reads from each column of the matrix, and what it answers. No torch here.

kind                          becomes
number, word                  its standardised value, and that of its logarithm if it has far outliers
category, parts of the time   an embedding: a few numbers a code, learned
token                         with the other tokens of the row, one bag (see `text`)
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from components.train.network_rows import Floats, Moments
from kelp.frame.transform import Feature, Matrix, Transform
from kelp.trainer import Target

_CODES_OF_TIME = {"hour": 24, "weekday": 7, "day": 32, "month": 13}
_OUTLIER = 8.0  # standard deviations; of a million normal values the furthest is about 5 away


@dataclass(frozen=True, slots=True)
class Numbers:
    """Columns of the matrix, and how they are standardised; a column without any deviation says nothing.

    Attributes:
        positions: of the columns.
        mean: float64, shape (columns,).
        deviation: float64, shape (columns,), > 0.
    """

    positions: tuple[int, ...]
    mean: Floats
    deviation: Floats


@dataclass(frozen=True, slots=True)
class Layout:
    """The inputs and outputs of a network.

    Attributes:
        task: of the transform.
        width: columns of the matrix.
        outputs: numbers that a row is answered with.
        values: numbers as they are.
        logarithms: of numbers with far outliers, sign(x) log(1 + |x|).
        codes: position and number of codes of each category or part of the time.
        tokens: positions of the tokens.
        token_numbers: how many different numbers a token can have, 0 (none) and 1 (unknown) among them.
        target_mean: of a regression or forecast, else 0.
        target_deviation: likewise, else 1.
    """

    task: str
    width: int
    outputs: int
    values: Numbers
    logarithms: Numbers
    codes: tuple[tuple[int, int], ...]
    tokens: tuple[int, ...]
    token_numbers: int
    target_mean: float
    target_deviation: float

    @property
    def is_value(self) -> bool:
        """Whether the answer is a value rather than probabilities."""
        return self.task in ("regression", "forecast")


@dataclass(slots=True)
class Survey:
    """What the first pass over the training rows finds out."""

    values: Moments
    logarithms: Moments
    target: Moments

    def see(self, matrix: Matrix, target: Target) -> None:
        """Take in a block of rows."""
        self.values.add(matrix)
        self.logarithms.add(signed_log(matrix))
        self.target.add(target[:, np.newaxis])


def signed_log(matrix: Matrix) -> Matrix:
    """sign(x) log(1 + |x|), which brings far outliers near and keeps 0."""
    logarithm: Matrix = np.sign(matrix) * np.log1p(np.abs(matrix))
    return logarithm


def embedding_size(codes: int, most: int) -> int:
    """Numbers of an embedding: 1.6 codes^0.56 as in fastai's `emb_sz_rule`, at most `most`."""
    return min(most, math.ceil(1.6 * math.pow(codes, 0.56)))


def layout_of(transform: Transform, survey: Survey) -> Layout:
    """Lay a network out for these features and training rows."""
    features = list(enumerate(transform.features))
    numbers = [position for position, feature in features if feature.kind in ("number", "word")]
    found = survey.values
    reach = np.maximum(found.greatest - found.mean, found.mean - found.least)
    heavy = [position for position in numbers if reach[position] > _OUTLIER * found.deviation[position] > 0]
    is_value = not transform.classes
    deviation = float(survey.target.deviation[0]) if is_value else 1.0
    return Layout(
        task=transform.task,
        width=transform.width,
        outputs=len(transform.classes) if transform.is_multiclass else 1,
        values=_numbers(numbers, found),
        logarithms=_numbers(heavy, survey.logarithms),
        codes=tuple((position, size) for position, feature in features for size in _sizes(feature)),
        tokens=tuple(position for position, feature in features if feature.kind == "token"),
        token_numbers=len(transform.tokenizer.vocabulary) + 2 if transform.tokenizer else 0,
        target_mean=float(survey.target.mean[0]) if is_value else 0.0,
        target_deviation=deviation or 1.0,
    )


def _sizes(feature: Feature) -> Iterator[int]:
    if feature.kind == "category":
        yield len(feature.categories) + 1
    elif feature.kind in _CODES_OF_TIME:
        yield _CODES_OF_TIME[feature.kind]


def _numbers(positions: list[int], found: Moments) -> Numbers:
    deviation = found.deviation[positions]
    nothing = float(np.finfo(np.float32).max)  # divided by this, whatever a constant becomes later stays about 0
    return Numbers(tuple(positions), found.mean[positions], np.where(deviation > 0, deviation, nothing))
