# SPDX-License-Identifier: Apache-2.0
"""Scorer: a version directory, loaded, that answers raw columns with scores."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kelp.errors import DataError, IntegrityError, KelpError
from kelp.frame.rows import columns_from_instances
from kelp.frame.session import open_session
from kelp.frame.transform import Column, Matrix, Transform

MODEL_FILE = "model.onnx"
TRANSFORM_FILE = "transform.json"
GOLDEN_FILE = "golden.json"
GOLDEN_TOLERANCE = 1e-6  # |difference| <= this + this * |score|
RESTORE = "restore the file from the registry, or package the model again"

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scorer:
    """A transform and the ONNX session that takes its matrix."""

    transform: Transform
    session: Any
    """onnxruntime.InferenceSession; `run` may be called by several threads at once."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load `model.onnx` and `transform.json` of a version directory.

        The model is read as one file: weights that ONNX keeps in a file beside it are refused.

        Raises:
            IntegrityError: a file is missing or corrupt, or the two do not fit; the place is the file.
        """
        described = folder / TRANSFORM_FILE
        transform = Transform.from_json(_read(described), place=str(described))
        return cls(transform, open_session(folder / MODEL_FILE, transform.width))

    def score(self, matrix: Matrix) -> Scores:
        """Score a matrix of shape (n, width).

        Returns:
            float32, finite. Binary: shape (n,), the probability of the positive class. Multiclass and text: shape
            (n, classes), probabilities. Regression and forecast: shape (n,), the value.

        Raises:
            IntegrityError: the model answered scores of another shape.
            DataError: its score of a row is not finite, as that of extreme numbers may be.
        """
        scores: Scores = self.session.run(["score"], {"rows": matrix})[0]
        expected = (len(matrix), len(self.transform.classes)) if self.transform.is_multiclass else (len(matrix),)
        if scores.shape != expected:
            raise IntegrityError(
                f"expected scores of shape {expected}, the model answered {scores.shape}",
                place=MODEL_FILE,
                fix="roll back to another version, and package this one again",
            )
        is_finite = np.isfinite(scores)
        if not is_finite.all():
            row = int(np.argmin(is_finite.reshape(len(matrix), -1).all(axis=1)))
            raise DataError(
                "expected numbers that the model can score, its score of this row is not finite", place=f"row {row}"
            )
        return scores

    def score_columns(self, columns: Mapping[str, Column]) -> Scores:
        """Transform raw columns, then score them.

        Raises:
            DataError: as `Transform.apply`.
            IntegrityError: as `score`.
        """
        return self.score(self.transform.apply(columns))

    def label(self, scores: Scores) -> list[str]:
        """Name the class of each score: positive from 0.5 on, or the most probable one; empty for a regression."""
        classes = self.transform.classes
        if not classes:
            return []
        positions = scores.argmax(axis=1) if self.transform.is_multiclass else scores >= 0.5
        return [classes[position] for position in positions.tolist()]

    def check_golden(self, folder: Path) -> Matrix:
        """Answer the rows of `golden.json` again and compare with the scores recorded there.

        Returns:
            The rows, transformed: float32, shape (n, width).

        Raises:
            IntegrityError: the file is missing or malformed, or a score differs by more than `GOLDEN_TOLERANCE`.
        """
        path = folder / GOLDEN_FILE
        rows, expected = _golden(path)
        try:
            matrix = self.transform.apply(columns_from_instances(self.transform, rows))
            answered = self.score(matrix)
        except KelpError as error:
            raise IntegrityError(f"its rows cannot be answered: {error}", place=str(path), fix=RESTORE) from error
        found = np.asarray(answered, dtype=np.float64).reshape(len(rows), -1)
        if expected.shape != found.shape:
            raise IntegrityError(
                f"expected scores of shape {found.shape}, found {expected.shape}", place=str(path), fix=RESTORE
            )
        is_near = np.isclose(found, expected, rtol=GOLDEN_TOLERANCE, atol=GOLDEN_TOLERANCE).all(axis=1)
        if not is_near.all():
            row = int(np.argmin(is_near))
            raise IntegrityError(
                f"the model answers {found[row].tolist()}, recorded is {expected[row].tolist()}",
                place=f"{path}: rows[{row}]",
                fix="the model or the transform is not the one that was packaged, or the runtime computes differently",
            )
        return matrix


def check_golden(folder: Path) -> None:
    """Load a version directory and check it against its own `golden.json`.

    Raises:
        IntegrityError: as `Scorer.load` and `Scorer.check_golden`.
    """
    Scorer.load(folder).check_golden(folder)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise IntegrityError(f"cannot be read ({error.strerror})", place=str(path), fix=RESTORE) from error


def _golden(path: Path) -> tuple[list[dict[str, Any]], NDArray[np.float64]]:
    """The rows as objects, and the scores with shape (rows, scores a row)."""
    try:
        content = json.loads(_read(path))
        rows = [dict(zip(content["columns"], row, strict=True)) for row in content["rows"]]
        scores = np.array(content["scores"], dtype=np.float64)
        if not rows or scores.ndim != 2:
            raise ValueError("expected one or more rows, and a list of scores for each")
    except (ValueError, TypeError, KeyError) as error:
        raise IntegrityError(f"is malformed: {error}", place=str(path), fix=RESTORE) from error
    return rows, scores
