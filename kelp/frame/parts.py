# SPDX-License-Identifier: Apache-2.0
"""The parts of a `Transform`: what callers send, what earlier rows add to it, and the columns of the matrix.

Values only; `kelp.frame.compute` computes features, `kelp.frame.history` windows.
"""

from functools import cached_property
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

RawType = Literal["int", "float", "bool", "string", "category", "timestamp", "text"]
FeatureKind = Literal["number", "category", "hour", "weekday", "day", "month", "word", "token"]
Take = Literal["count", "sum", "mean", "min", "max", "distinct", "since"]

FLOAT32_MAX = float(np.finfo(np.float32).max)
YEAR_1 = -62_135_596_800.0  # from the first moment of the year 1 to the last of 9999 is what a timestamp can be
YEAR_9999 = 253_402_300_799.999_999
MOST_UNITS = 2**40  # a window's value is a whole number of units of at most this size
TAKES_OF_NUMBERS: tuple[Take, ...] = ("sum", "mean", "min", "max")
TIME_PARTS: tuple[FeatureKind, ...] = ("hour", "weekday", "day", "month")


class Part(BaseModel):
    """Base of every part: frozen, unknown fields refused, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class RawColumn(Part):
    """A column of a request: what a caller sends under `name`.

    `min` and `max` are inclusive, in the column's own unit (seconds since the epoch for a timestamp). An `optional`
    column may be absent from a request, which then misses it. The values of a `private` one become pseudonyms before
    anything else sees them.
    """

    name: str = Field(min_length=1)
    type: RawType
    nullable: bool
    min: float | None = None
    max: float | None = None
    optional: bool = False
    private: bool = False

    @model_validator(mode="after")
    def _bounds_make_sense(self) -> Self:
        if self.optional and not self.nullable:
            raise ValueError("an optional column is nullable")
        if self.private and self.type != "string":
            raise ValueError(f"a private column is a string, got a {self.type}")
        if self.min is None and self.max is None:
            return self
        if self.type not in ("int", "float", "timestamp"):
            raise ValueError(f"a {self.type} column has no min or max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        return self

    @cached_property
    def limits(self) -> tuple[float, float]:
        """The least and the greatest number a request may hold, both inclusive."""
        least, greatest = (YEAR_1, YEAR_9999) if self.type == "timestamp" else (-FLOAT32_MAX, FLOAT32_MAX)
        return (
            least if self.min is None else max(least, self.min),
            greatest if self.max is None else min(greatest, self.max),
        )


class Window(Part):
    """A number computed from earlier rows of the same entity.

    A row at time t takes the rows of the same values in `by` whose time is from `t - start_us` to `t - end_us`, both
    inclusive, and that have a value in `over`. With `end_us` >= 1 a row sees neither itself nor any other of the same
    instant, so nothing depends on the order of simultaneous rows.

    `sum`, `mean`, `min` and `max` work on whole units: `floor(value / unit + 0.5)`, kept within +- `MOST_UNITS`, with
    `unit` a power of two that is fitted to the training part. Whole numbers add up to the same sum in any order, which
    is why DuckDB, Spark and the server agree to the last bit. `since` is in seconds. Without a row in the window
    `count`, `sum` and `distinct` are 0, the others missing.
    """

    name: str = Field(min_length=1)
    by: tuple[str, ...] = Field(min_length=1)
    over: str
    take: Take
    start_us: int = Field(ge=1)
    end_us: int = Field(ge=1)
    unit: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _bounds_make_sense(self) -> Self:
        if self.start_us < self.end_us:
            raise ValueError(f"the window starts {self.start_us} us ago, after its end {self.end_us} us ago")
        if np.frexp(self.unit)[0] != 0.5:
            raise ValueError(f"the unit is a power of two, got {self.unit:g}")
        return self


class Feature(Part):
    """A column of the matrix, computed from one raw column or window.

    kind        value
    number      the value, kept within `low` and `high`
    category    the 1-based position in `categories`, 0 for any other value
    hour        0 to 23 of a timestamp, in UTC; likewise weekday (Monday is 0), day (1 to 31) and month (1 to 12)
    word        how often `word` stands in a text
    token       the number of the text's token at `position`, 0 beyond its end; see `Tokenizer`

    A missing value becomes `fill`, which for a category is a code between 0 and `len(categories)`. A missing text has
    no words.
    """

    name: str = Field(min_length=1)
    column: str
    kind: FeatureKind
    fill: float = 0.0
    categories: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    word: str | None = None
    position: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _fields_fit_the_kind(self) -> Self:
        for name, kind in _ONLY_OF.items():
            if getattr(self, name) not in (None, ()) and self.kind != kind:
                raise ValueError(f"a feature of kind {self.kind} has no {name}")
        if (self.word is None) == (self.kind == "word") or (self.position is None) == (self.kind == "token"):
            raise ValueError(f"a feature of kind {self.kind} needs its {self.kind}")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        return self

    @model_validator(mode="after")
    def _categories_make_sense(self) -> Self:
        if self.kind != "category":
            return self
        if len(set(self.categories)) != len(self.categories):
            raise ValueError("the categories are not distinct")
        if not self.fill.is_integer() or not 0 <= self.fill <= len(self.categories):
            raise ValueError(f"fill is a code between 0 and {len(self.categories)}, got {self.fill:g}")
        return self


_ONLY_OF: dict[str, FeatureKind] = {
    "categories": "category",
    "low": "number",
    "high": "number",
    "word": "word",
    "position": "token",
}


class Tokenizer(Part):
    """How the text of one column becomes `length` token numbers: see `kelp.frame.text`.

    The number of a token is its position in `vocabulary` plus 2; 0 is no token, 1 one that is not known.
    """

    column: str
    vocabulary: tuple[str, ...]
    length: int = Field(ge=1, le=1024)

    @model_validator(mode="after")
    def _tokens_are_distinct(self) -> Self:
        if len(set(self.vocabulary)) != len(self.vocabulary):
            raise ValueError("the tokens of the vocabulary are not distinct")
        return self

    @cached_property
    def numbers(self) -> dict[str, int]:
        """From a token to its number."""
        return {token: number for number, token in enumerate(self.vocabulary, start=2)}
