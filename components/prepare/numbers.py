# SPDX-License-Identifier: Apache-2.0
"""What the training part says about columns of numbers: exactly, one array of a column at a time.

Order statistics are exact and so do not depend on an engine, on threads or on the order of rows.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelp.spec import Column as Contract

AT_ONCE = 2**28  # bytes of columns that are read together
Read = Callable[[Sequence[str]], Iterable[Any]]
"""From names of columns to record batches of all rows."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Of one column's training part: present values, their range, what is filled in for a gap, and the limits."""

    present: int
    least: float = math.nan
    greatest: float = math.nan
    fill: float = 0.0
    low: float | None = None
    high: float | None = None

    @property
    def unit(self) -> float:
        """The power of two such that the largest absolute value is just below 2^40 units; 1 without any."""
        largest = max(abs(self.least), abs(self.greatest)) if self.present else 0.0
        return math.ldexp(1.0, max(math.frexp(largest)[1] - 40, -1022)) if largest else 1.0


def fit_numbers(
    read: Read, contracts: Mapping[str, Contract | None], is_training: NDArray[np.bool_], modes: Sequence[str] = ()
) -> dict[str, Fit]:
    """Fit columns of numbers.

    Args:
        read: gives the columns; null and NaN are missing.
        contracts: the columns and what is declared of them.
        is_training: shape (rows,).
        modes: columns that fill with their mode unless told otherwise (booleans).
    """
    with ThreadPoolExecutor() as threads:
        waiting = {
            name: threads.submit(_fit, values, contracts[name], "mode" if name in modes else "median")
            for name, values in _columns(read, list(contracts), is_training)
        }
        return {name: fit.result() for name, fit in waiting.items()}


def _columns(read: Read, names: list[str], is_training: NDArray[np.bool_]) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Every column's present values in the training part."""
    rows = int(is_training.sum())
    size = max(1, AT_ONCE // (8 * rows + 1))
    for start in range(0, len(names), size):
        group = names[start : start + size]
        values = {name: np.empty(rows) for name in group}
        counts = dict.fromkeys(group, 0)
        row = 0
        for batch in read(group):
            is_wanted = is_training[row : row + batch.num_rows]
            row += batch.num_rows
            if is_wanted.any():
                for name in group:
                    found = numbers_of(batch.column(name))
                    found = found[is_wanted & ~np.isnan(found)]
                    values[name][counts[name] : counts[name] + len(found)] = found
                    counts[name] += len(found)
        for name in group:
            yield name, values.pop(name)[: counts[name]]


def numbers_of(cells: Any) -> NDArray[np.float64]:
    """Cells of numbers, booleans or times as float64; NaN where missing."""
    kind = str(cells.type)
    if kind.startswith("timestamp"):
        cells = cells.cast("timestamp[us]").cast("int64")
    elif kind == "bool":
        cells = cells.cast("uint8")
    return np.asarray(cells.cast("float64", safe=False))


def _fit(values: NDArray[np.float64], contract: Contract | None, default: str) -> Fit:
    """Reorders the values."""
    if len(values) == 0:
        return Fit(0)
    low, high = _limits(values, contract.clip) if contract and contract.clip else (None, None)
    least, greatest = float(values.min()), float(values.max())
    return Fit(len(values), least, greatest, _fill(values, contract, default), low, high)


def _limits(values: NDArray[np.float64], share: float) -> tuple[float, float]:
    """The values at rank floor(share * (n - 1)) from either end of the ordered values."""
    rank = math.floor(share * (len(values) - 1))
    ranks = (rank, len(values) - 1 - rank)
    values.partition(ranks)
    return float(values[ranks[0]]), float(values[ranks[1]])


def _fill(values: NDArray[np.float64], contract: Contract | None, default: str) -> float:
    """The number a missing value becomes: the declared rule, else the default."""
    rule = (contract.missing if contract else None) or default
    if rule == "constant" and contract is not None and contract.fill is not None:
        return float(contract.fill)
    if rule == "mean":
        return math.fsum(values) / len(values)
    if rule == "mode":
        found, counts = np.unique(values, return_counts=True)
        return float(found[np.argmax(counts)])
    return float(np.median(values, overwrite_input=True))
