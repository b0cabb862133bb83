# SPDX-License-Identifier: Apache-2.0
"""What a trainer is: two methods, for kelp's own (`xgboost`, `torch`) and for yours (`trainer: package.module:name`).

The step `train` makes a trainer without arguments, calls `fit` once and then `to_onnx`, and holds the answer against
what is promised here. Nothing of a trainer but its ONNX model is ever served.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from kelp.frame.transform import Matrix, Transform
from kelp.prepared import TARGET, VALIDATION

BATCH_ROWS = 32_768

Target = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Prepared rows in a Parquet file, read batch by batch: they need not fit into memory.

    Attributes:
        path: one float32 column a feature, `__target`, and `__validation`: whether the row is kept back.
        features: names of the features, in the order of the matrix.
        kept_back: None for all rows, else only those with this value in `__validation`.
    """

    path: Path
    features: tuple[str, ...]
    kept_back: bool | None = None

    def batches(self, size: int = BATCH_ROWS) -> Iterator[tuple[Matrix, Target]]:
        """Read the rows, always in the same order.

        Yields:
            float32, shape (n, width), without NaN; and float64, shape (n,): the position in `Transform.classes`, or
            the value of a regression or forecast. 1 <= n <= size.
        """
        import pyarrow.parquet as pq

        columns = [*self.features, TARGET, *([] if self.kept_back is None else [VALIDATION])]
        with pq.ParquetFile(self.path, buffer_size=1 << 16) as file:
            for group in range(file.num_row_groups):  # one at a time: the reader keeps all it was asked for
                for batch in file.iter_batches(size, row_groups=[group], columns=columns):
                    chosen = batch
                    if self.kept_back is not None:
                        chosen = batch.filter(_equals(batch.column(VALIDATION), self.kept_back))
                    if chosen.num_rows:
                        yield _matrix(chosen, self.features), chosen.column(TARGET).to_numpy().astype(np.float64)

    def count(self) -> int:
        """How many rows there are."""
        import pyarrow.parquet as pq

        if self.kept_back is None:
            return int(pq.read_metadata(self.path).num_rows)
        kept = pq.read_table(self.path, columns=[VALIDATION]).column(VALIDATION)
        return int(_equals(kept, self.kept_back).to_numpy().sum())


def _equals(column: Any, value: bool) -> Any:
    import pyarrow.compute as pc

    return column if value else pc.invert(column)


def _matrix(batch: Any, features: tuple[str, ...]) -> Matrix:
    matrix = np.empty((batch.num_rows, len(features)), dtype=np.float32)
    for position, name in enumerate(features):
        matrix[:, position] = batch.column(name).to_numpy()
    return matrix


def _nobody_watches(done: int, total: int) -> None:
    """Nobody wants to know how far a fit is."""


@dataclass(frozen=True, slots=True)
class Training:
    """What a trainer is given.

    Attributes:
        transform: task, classes, and the features in the order of the matrix, with their categories and vocabulary.
        rows: to learn from.
        validation: rows kept back to stop early or to compare trials; None without either.
        params: `spec.train.params`, and those of the trial in a search.
        seed: of everything random.
        device: where to compute.
        early_stopping: stop after so many rounds or epochs without a better validation score; None: never.
        class_weights: the weight of a row of each class, by position; empty if all are equal.
        monotone: by feature, 1 if the score may only rise with it and -1 if it may only fall.
        progress: to be called after a round or epoch with how many are done and how many there are.
    """

    transform: Transform
    rows: Rows
    params: Mapping[str, Any]
    seed: int
    validation: Rows | None = None
    device: Literal["cpu", "cuda"] = "cpu"
    early_stopping: int | None = None
    class_weights: tuple[float, ...] = ()
    monotone: Mapping[str, Literal[1, -1]] | None = None
    progress: Callable[[int, int], None] = _nobody_watches


@runtime_checkable
class Trainer(Protocol):
    """Fits a model and writes it as ONNX.

    Optional further methods: `space(trial)` returns the params of an optuna trial, and makes `spec.train.search`
    possible; `files()` returns further files of the version by name, as bytes, such as the model's native form. An
    attribute `aliases` maps other names of params to the trainer's own.
    """

    def fit(self, training: Training) -> Mapping[str, Any]:
        """Fit; equal trainings give equal models.

        Returns:
            Facts for the record, as JSON values. Known to kelp are `params` (all of them, defaults included),
            `rounds` or `epochs`, `validation` (the best validation loss; smaller is better; a search needs it),
            `importance` (each feature's share) and `warnings` (a list of texts).

        Raises:
            InputError: a parameter is unknown or has a value that cannot be used.
        """
        ...

    def to_onnx(self) -> bytes:
        """Export what `fit` fitted, as one ONNX model.

        Its input is `rows`, float32 [n, width]; its output `score`, float32: the positive's probability [n] of a
        binary task, each class's [n, classes] of a multiclass or text one, the value [n] of the others.
        """
        ...
