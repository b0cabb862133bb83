# SPDX-License-Identifier: Apache-2.0
"""Transform: the content of `transform.json`, from raw columns to the float32 matrix a model is fed.

The pipeline's prepare step fits one on the training part and writes it; the model server applies the same file to
one request. In memory a raw column is one numpy array of n values:

    int, float, bool    float64; NaN where missing; false is 0, true is 1
    timestamp           float64; seconds since 1970-01-01T00:00Z; NaN where missing
    string, category    object; str, or None where missing
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import repeat
from typing import Any, Literal, Self

import numpy as np
import rfc8785
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kelp.errors import DataError, IntegrityError

Column = NDArray[Any]
Matrix = NDArray[np.float32]

RawType = Literal["int", "float", "bool", "string", "category", "timestamp"]
FeatureKind = Literal["number", "category", "hour", "weekday", "month"]

FLOAT32_MAX = float(np.finfo(np.float32).max)
YEAR_1 = -62_135_596_800.0  # from the first moment of the year 1 to the last of 9999 is what a timestamp can be
YEAR_9999 = 253_402_300_799.999_999
_SECONDS_A_DAY = 86_400
_THURSDAY = 3  # 1970-01-01, when Monday is 0
_COLUMN_TYPES: dict[FeatureKind, tuple[RawType, ...]] = {
    "number": ("int", "float", "bool"),
    "category": ("string", "category"),
    "hour": ("timestamp",),
    "weekday": ("timestamp",),
    "month": ("timestamp",),
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class RawColumn(_Part):
    """A column of a request: what a caller sends under `name`.

    `min` and `max` are inclusive, in the column's own unit (seconds since the epoch for a timestamp).
    """

    name: str = Field(min_length=1)
    type: RawType
    nullable: bool
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _bounds_make_sense(self) -> Self:
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


class Feature(_Part):
    """A column of the matrix, computed from one raw column.

    `number` is the value itself. `category` is the 1-based position in `categories`, 0 for any other value.
    `hour` (0-23), `weekday` (Monday is 0) and `month` (1-12) read a timestamp in UTC.
    A missing value becomes `fill`, which for a category is a code between 0 and `len(categories)`.
    """

    name: str = Field(min_length=1)
    column: str
    kind: FeatureKind
    fill: float
    categories: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _categories_make_sense(self) -> Self:
        if self.kind != "category":
            if self.categories:
                raise ValueError(f"a feature of kind {self.kind} has no categories")
            return self
        if len(set(self.categories)) != len(self.categories):
            raise ValueError("the categories are not distinct")
        if not self.fill.is_integer() or not 0 <= self.fill <= len(self.categories):
            raise ValueError(f"fill is a code between 0 and {len(self.categories)}, got {self.fill:g}")
        return self


class Transform(_Part):
    """Raw columns in the order callers declare them, and features in the order of the matrix.

    `classes` are (negative, positive) for a binary task, the sorted labels for a multiclass one, else empty.
    """

    version: Literal[1] = 1
    task: Literal["binary", "multiclass", "regression"]
    classes: tuple[str, ...]
    columns: tuple[RawColumn, ...]
    features: tuple[Feature, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _classes_fit_the_task(self) -> Self:
        found = len(self.classes)
        if len(set(self.classes)) != found:
            raise ValueError("the classes are not distinct")
        if self.task == "binary" and found != 2:
            raise ValueError(f"a binary task has the classes (negative, positive), got {found}")
        if self.task == "multiclass" and (found < 2 or tuple(sorted(self.classes)) != self.classes):
            raise ValueError("a multiclass task has two or more classes, sorted")
        if self.task == "regression" and found:
            raise ValueError("a regression has no classes")
        return self

    @model_validator(mode="after")
    def _features_fit_the_columns(self) -> Self:
        types = {column.name: column.type for column in self.columns}
        if len(types) != len(self.columns):
            raise ValueError("two columns have the same name")
        if len({feature.name for feature in self.features}) != len(self.features):
            raise ValueError("two features have the same name")
        for feature in self.features:
            found = types.get(feature.column)
            if found is None:
                raise ValueError(f"feature {feature.name} reads the column {feature.column}, which is not declared")
            if found not in _COLUMN_TYPES[feature.kind]:
                expected = " or ".join(_COLUMN_TYPES[feature.kind])
                raise ValueError(f"feature {feature.name} of kind {feature.kind} needs a {expected}, got a {found}")
        return self

    @classmethod
    def from_json(cls, text: str | bytes, *, place: str = "transform.json") -> Self:
        """Read the content of a `transform.json`; `place` names the file in the message of an error.

        Raises:
            IntegrityError: it is not what `to_json` writes; the message names the first wrong field.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            problem = first["msg"].removeprefix("Value error, ")
            raise IntegrityError(
                f"{field}: {problem}" if field else problem,
                place=place,
                fix="restore the file from the registry, or run the pipeline again",
            ) from error

    def to_json(self) -> str:
        """Write canonical JSON (RFC 8785): the same transform always gives the same bytes."""
        return rfc8785.dumps(self.model_dump(mode="json")).decode()

    @property
    def width(self) -> int:
        """How many features the matrix has."""
        return len(self.features)

    def apply(self, columns: Mapping[str, Column]) -> Matrix:
        """Compute the matrix.

        Args:
            columns: every raw column a feature reads, each of shape (n,), in the representation stated above;
                others are ignored.

        Returns:
            float32, shape (n, width), finite.

        Raises:
            DataError: a column is absent, the columns differ in length, or a value is beyond float32.
        """
        matrix = np.empty((self._rows(columns), self.width), dtype=np.float32)
        with np.errstate(over="ignore"):  # a value beyond float32 becomes inf and is reported below
            for position, (name, compute) in enumerate(self._steps):
                matrix[:, position] = compute(columns[name])
        self.fill(matrix)
        if np.isinf(matrix).any():
            row, position = np.argwhere(np.isinf(matrix))[0]
            column = self.features[position].column
            raise DataError(
                f"expected a finite number within float32, found {columns[column][row]:g}",
                place=f"column {column}, row {row}",
                fix="declare `min` and `max` for the column, so that such rows are set aside",
            )
        return matrix

    def fill(self, matrix: Matrix) -> None:
        """Replace every NaN of a matrix of shape (n, width) by its feature's `fill`, in place."""
        np.copyto(matrix, self._fills, where=np.isnan(matrix))

    def _rows(self, columns: Mapping[str, Column]) -> int:
        lengths: dict[str, int] = {}
        for name in self._inputs:
            if name not in columns:
                raise DataError("the column is absent", place=f"column {name}", fix="keep it in the data")
            lengths[name] = len(columns[name])
        first, *others = set(lengths.values())
        if others:
            raise DataError(f"the columns differ in length: {lengths}")
        return first

    @cached_property
    def _inputs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(feature.column for feature in self.features))

    @cached_property
    def _fills(self) -> Matrix:
        return np.array([feature.fill for feature in self.features], dtype=np.float32)

    @cached_property
    def _steps(self) -> tuple[tuple[str, Callable[[Column], Column]], ...]:
        return tuple((feature.column, _computation(feature)) for feature in self.features)


def _computation(feature: Feature) -> Callable[[Column], Column]:
    """The function from a raw column to a feature in which a missing value is still NaN."""
    if feature.kind == "category":
        return _category_codes(feature)
    return _TIME_PARTS.get(feature.kind, _itself)


def _itself(values: Column) -> Column:
    return values


def _category_codes(feature: Feature) -> Callable[[Column], Column]:
    codes: dict[str | None, float] = {name: float(code) for code, name in enumerate(feature.categories, start=1)}
    codes[None] = feature.fill

    def compute(values: Column) -> Column:
        # One dict look-up a value: sorting an object column (np.unique) costs several times more.
        return np.fromiter(map(codes.get, values.tolist(), repeat(0.0)), dtype=np.float32, count=len(values))

    return compute


def _hour(seconds: Column) -> Column:
    return np.floor(seconds % _SECONDS_A_DAY / 3600)


def _weekday(seconds: Column) -> Column:
    days: Column = np.floor(seconds / _SECONDS_A_DAY)
    return (days + _THURSDAY) % 7


def _month(seconds: Column) -> Column:
    is_missing = np.isnan(seconds)
    whole = np.floor(np.where(is_missing, 0.0, seconds)).astype(np.int64)
    months: Column = whole.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64) % 12 + 1.0
    months[is_missing] = np.nan
    return months


_TIME_PARTS: dict[FeatureKind, Callable[[Column], Column]] = {"hour": _hour, "weekday": _weekday, "month": _month}
