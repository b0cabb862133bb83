# SPDX-License-Identifier: Apache-2.0
"""Rows to their features, by `kelp.frame`: what a server computes for one row, for a batch of rows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelp.frame.arrow import columns_from_table
from kelp.frame.compute import computation
from kelp.frame.transform import Matrix, Transform


class Matrices:
    """Computes the matrix of one batch after another.

    A category's code is looked up once a distinct value of a batch: `computation` is a function of single values, so
    that its answers to a dictionary, put in the places of the indices, are its answers to the column.
    """

    def __init__(self, transform: Transform) -> None:
        self._width = transform.width
        self._categories = {
            at: (feature.column, computation(feature))
            for at, feature in enumerate(transform.features)
            if feature.kind == "category"
        }
        self._others = [at for at in range(transform.width) if at not in self._categories]
        features = tuple(transform.features[at] for at in self._others)
        read = {feature.column for feature in features}
        columns = tuple(column for column in transform.columns if column.name in read)
        self._rest = transform.model_copy(update={"features": features, "columns": columns})

    def of(self, batch: Any, windows: Mapping[str, NDArray[np.float64]]) -> Matrix:
        """Compute the matrix of a pyarrow.RecordBatch and its windows: float32, shape (n, width)."""
        matrix = np.empty((batch.num_rows, self._width), dtype=np.float32)
        if self._others:
            matrix[:, self._others] = self._rest.apply({**columns_from_table(self._rest, _table(batch)), **windows})
        for at, (column, compute) in self._categories.items():
            cells = batch.column(column)
            encoded = cells if hasattr(cells, "dictionary") else cells.dictionary_encode()
            codes = compute(np.array([*encoded.dictionary.to_pylist(), None], dtype=object))
            matrix[:, at] = codes[np.asarray(encoded.indices.fill_null(len(encoded.dictionary)))]
        return matrix


def _table(batch: Any) -> Any:
    import pyarrow as pa

    return pa.Table.from_batches([batch])
