# SPDX-License-Identifier: Apache-2.0
"""Divide rows into a training and a test part: by time, by entity or by row, always the same way for the same rows."""

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelp.errors import DataError
from kelp.spec import Model


@dataclass(frozen=True, slots=True)
class Parts:
    """Row numbers of the snapshot, ascending; `boundary` says where the test part begins."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]
    boundary: str


def split_rows(model: Model, table: Any) -> Parts:
    """Divide the rows; ties in time go to one side, and an entity is never on both."""
    data = model.spec.data
    if data.split_by == "time":
        return _split_by_time(np.asarray(table.column(data.time).to_numpy(), dtype="datetime64[us]"), model)
    column = data.entity if data.split_by == "entity" else data.id
    texts = table.column(column).to_pylist() if column else range(table.num_rows)
    threshold = data.split.test * 2**64
    seed = str(model.spec.train.seed).encode()
    shares = {text: _share(seed, text) for text in set(texts)}
    is_test = np.fromiter((shares[text] < threshold for text in texts), dtype=bool, count=table.num_rows)
    return Parts(np.flatnonzero(~is_test), np.flatnonzero(is_test), f"hash of {column or 'the row number'}")


def _share(seed: bytes, text: object) -> int:
    """A number that is uniform on [0, 2^64) over texts, and always the same for one."""
    return int.from_bytes(hashlib.blake2b(str(text).encode(), key=seed, digest_size=8).digest(), "big")


def _split_by_time(times: NDArray[Any], model: Model) -> Parts:
    split = model.spec.data.split
    ordered = np.sort(times)
    start = ordered[min(math.floor(len(ordered) * (1 - split.test)), len(ordered) - 1)]
    end_of_training = start - np.timedelta64(int(split.gap.total_seconds() * 1e6), "us")
    return Parts(np.flatnonzero(times < end_of_training), np.flatnonzero(times >= start), f"{start}Z")


def refuse_unlearnable(model: Model, labels: NDArray[Any], parts: Parts) -> None:
    """Stop before training on what nothing can be learnt from.

    Raises:
        DataError: a part has fewer than two rows, or a single label.
    """
    for name, rows in (("training", parts.train), ("test", parts.test)):
        place = f"the {name} part (split by {model.spec.data.split_by} at {parts.boundary})"
        if len(rows) < 2:
            raise DataError(
                f"expected at least 2 rows, found {len(rows)}", place=place, fix="more data, or another split"
            )
        if model.spec.task != "regression" and len(np.unique(labels[rows])) < 2:
            raise DataError("expected at least two labels, found one", place=place, fix="more data, or another split")
