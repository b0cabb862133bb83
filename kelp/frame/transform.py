# SPDX-License-Identifier: Apache-2.0
"""Transform: the content of `transform.json`, from raw columns to the float32 matrix a model is fed.

The pipeline's prepare step fits one on the training part and writes it; the model server applies the same file to
one request. In memory a raw column is one numpy array of n values:

    int, float, bool          float64; NaN where missing; false is 0, true is 1
    timestamp                 float64; seconds since 1970-01-01T00:00Z; NaN where missing
    string, category, text    object; str, or None where missing

A window is float64 as well. What a row takes from itself is computed here; what it takes from earlier rows, the
windows, is computed before: by `kelp.frame.history` one row at a time, by prepare's engine for whole tables.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Literal, Self

import numpy as np
import rfc8785
from pydantic import Field, ValidationError, model_validator

from kelp.errors import DataError, IntegrityError
from kelp.frame.block import NumberBlock, NumberColumns
from kelp.frame.compute import Column, Matrix, computation, is_plain, token_numbers, word_counts
from kelp.frame.parts import TAKES_OF_NUMBERS, Feature, FeatureKind, Part, RawColumn, RawType, Tokenizer, Window

__all__ = ["Column", "Feature", "FeatureKind", "Matrix", "RawColumn", "RawType", "Tokenizer", "Transform", "Window"]

_FEW_ROWS = 1000  # up to here one copy of the numbers costs less than a call a column

Task = Literal["binary", "multiclass", "regression", "forecast", "text"]

_COLUMN_TYPES: dict[FeatureKind, tuple[RawType, ...]] = {
    "number": ("int", "float", "bool"),
    "category": ("string", "category"),
    "hour": ("timestamp",),
    "weekday": ("timestamp",),
    "day": ("timestamp",),
    "month": ("timestamp",),
    "word": ("text",),
    "token": ("text",),
}


class Transform(Part):
    """Raw columns in the order callers declare them, windows, and features in the order of the matrix.

    `classes` are (negative, positive) for a binary task, the sorted labels for a multiclass or text one, else empty.
    `time` is the column that windows look back from.
    """

    version: Literal[1] = 1
    task: Task
    classes: tuple[str, ...]
    columns: tuple[RawColumn, ...]
    features: tuple[Feature, ...] = Field(min_length=1)
    time: str | None = None
    windows: tuple[Window, ...] = ()
    tokenizer: Tokenizer | None = None

    @model_validator(mode="after")
    def _classes_fit_the_task(self) -> Self:
        found = len(self.classes)
        if len(set(self.classes)) != found:
            raise ValueError("the classes are not distinct")
        if self.task == "binary" and found != 2:
            raise ValueError(f"a binary task has the classes (negative, positive), got {found}")
        if self.is_multiclass and (found < 2 or tuple(sorted(self.classes)) != self.classes):
            raise ValueError(f"a {self.task} task has two or more classes, sorted")
        if self.task in ("regression", "forecast") and found:
            raise ValueError(f"a {self.task} has no classes")
        return self

    @model_validator(mode="after")
    def _windows_fit_the_columns(self) -> Self:
        types = self._types
        if len(types) != len(self.columns) + len(self.windows):
            raise ValueError("two columns or windows have the same name")
        declared = {column.name for column in self.columns}
        units: dict[str, float] = {}
        if self.task == "forecast" and len({(window.by, window.over) for window in self.windows}) != 1:
            raise ValueError("the windows of a forecast are over one column, the target, by the columns of one key")
        if self.windows and types.get(self.time or "") != "timestamp":
            raise ValueError(f"windows need a column of time, found {self.time}")
        for window in self.windows:
            absent = next((name for name in (*window.by, window.over) if name not in declared), None)
            if absent is not None:
                raise ValueError(f"window {window.name} reads the column {absent}, which is not declared")
            if units.setdefault(window.over, window.unit) != window.unit:
                raise ValueError(f"the windows over {window.over} have two units, {units[window.over]:g} and others")
            if window.take in TAKES_OF_NUMBERS and types[window.over] not in _COLUMN_TYPES["number"]:
                raise ValueError(f"window {window.name} takes {window.take} of {window.over}, which is no number")
        return self

    @model_validator(mode="after")
    def _features_fit_the_columns(self) -> Self:
        if len({feature.name for feature in self.features}) != len(self.features):
            raise ValueError("two features have the same name")
        for feature in self.features:
            found = self._types.get(feature.column)
            if found is None:
                raise ValueError(f"feature {feature.name} reads the column {feature.column}, which is not declared")
            if found not in _COLUMN_TYPES[feature.kind]:
                expected = " or ".join(_COLUMN_TYPES[feature.kind])
                raise ValueError(f"feature {feature.name} of kind {feature.kind} needs a {expected}, got a {found}")
        self._refuse_wrong_tokens()
        return self

    def _refuse_wrong_tokens(self) -> None:
        tokens = [feature for feature in self.features if feature.kind == "token"]
        if self.tokenizer is None:
            if tokens:
                raise ValueError(f"feature {tokens[0].name} needs a tokenizer")
            return
        found = [(feature.column, feature.position) for feature in tokens]
        if found != [(self.tokenizer.column, position) for position in range(self.tokenizer.length)]:
            raise ValueError("the features of kind token are not the tokenizer's, from position 0 on")

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

    @cached_property
    def private(self) -> tuple[str, ...]:
        """The columns whose values become pseudonyms."""
        return tuple(column.name for column in self.columns if column.private)

    @cached_property
    def window_columns(self) -> tuple[RawColumn, ...]:
        """The windows as columns of a request: a caller that computes them itself sends all of them by name."""
        return tuple(RawColumn(name=window.name, type="float", nullable=True) for window in self.windows)

    @cached_property
    def declared(self) -> frozenset[str]:
        """The names of every raw column and window."""
        return frozenset(self._types)

    @cached_property
    def is_multiclass(self) -> bool:
        """Whether a row has one score a class."""
        return self.task in ("multiclass", "text")

    def apply(self, columns: Mapping[str, Column]) -> Matrix:
        """Compute the matrix.

        Args:
            columns: every raw column and window a feature reads, each of shape (n,), in the representation stated
                above; others are ignored.

        Returns:
            float32, shape (n, width), finite.

        Raises:
            DataError: a column is absent, the columns differ in length, or a value is beyond float32.
        """
        if isinstance(columns, NumberColumns) and self._rows_of_block is not None:
            return self._finite(columns.values_by_column[self._rows_of_block].T.astype(np.float32, order="C"), columns)
        rows = self._rows(columns)
        matrix = np.empty((rows, self.width), dtype=np.float32)
        plain, names = self._as_they_are
        with np.errstate(over="ignore"):  # a value beyond float32 becomes inf and is reported below
            if names and rows <= _FEW_ROWS:
                matrix[:, plain] = np.concatenate([columns[name] for name in names]).reshape(len(names), -1).T
            else:
                for position, name in zip(plain, names, strict=True):
                    matrix[:, position] = columns[name]
            for target, name, compute in self._steps:
                matrix[:, target] = compute(columns[name])
        return self._finite(matrix, columns)

    def _finite(self, matrix: Matrix, columns: Mapping[str, Column]) -> Matrix:
        """Fill what is missing; refuse what is infinite."""
        if np.isfinite(matrix).all():
            return matrix
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
        for name in self._inputs:
            if name not in columns:
                raise DataError("the column is absent", place=f"column {name}", fix="keep it in the data")
        first, *others = {len(columns[name]) for name in self._inputs}
        if others:
            lengths = {name: len(columns[name]) for name in self._inputs}
            raise DataError(f"the columns differ in length: {lengths}")
        return first

    @cached_property
    def _types(self) -> dict[str, RawType]:
        """Of every raw column and window by its name; a name that stands twice is there once."""
        types: dict[str, RawType] = {column.name: column.type for column in self.columns}
        return types | {window.name: "float" for window in self.windows}

    @cached_property
    def _inputs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(feature.column for feature in self.features))

    @cached_property
    def number_block(self) -> NumberBlock:
        """Checks the number columns of a request at once."""
        return NumberBlock(self.columns)

    @cached_property
    def _rows_of_block(self) -> list[int] | None:
        """Which rows of `number_block` the features are, if each is one of them unchanged."""
        positions = {name: position for position, name in enumerate(self.number_block.names)}
        if not all(is_plain(feature) and feature.column in positions for feature in self.features):
            return None
        return [positions[feature.column] for feature in self.features]

    @cached_property
    def _as_they_are(self) -> tuple[list[int], list[str]]:
        """Positions and columns of the features that are a number column unchanged: filled together, at less cost."""
        found = [(position, feature) for position, feature in enumerate(self.features) if is_plain(feature)]
        return [position for position, _ in found], [feature.column for _, feature in found]

    @cached_property
    def _fills(self) -> Matrix:
        return np.array([feature.fill for feature in self.features], dtype=np.float32)

    @cached_property
    def _steps(self) -> tuple[tuple[int | list[int], str, Callable[[Column], Column]], ...]:
        """Which columns of the matrix one function of one raw column fills."""
        return tuple(self._all_steps())

    def _all_steps(self) -> Iterator[tuple[int | list[int], str, Callable[[Column], Column]]]:
        words: dict[str, list[int]] = {}
        for position, feature in enumerate(self.features):
            if feature.kind == "word":
                words.setdefault(feature.column, []).append(position)
            elif feature.kind != "token" and not is_plain(feature):
                yield position, feature.column, computation(feature)
        for column, positions in words.items():
            yield positions, column, self._word_counts(positions)
        if self.tokenizer is not None:
            tokenizer = self.tokenizer
            tokens = [position for position, feature in enumerate(self.features) if feature.kind == "token"]
            yield tokens, tokenizer.column, lambda texts: token_numbers(texts, tokenizer)

    def _word_counts(self, positions: list[int]) -> Callable[[Column], Column]:
        words = [self.features[position].word or "" for position in positions]
        return lambda texts: word_counts(texts, words)
