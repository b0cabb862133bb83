# SPDX-License-Identifier: Apache-2.0
"""Online: a version that answers requests: pseudonyms for what is private, windows from its history, then its scorer.

The model server's one path for every protocol. Whole tables, which hold pseudonyms and windows, need a `Scorer` only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from kelp.errors import EnvironmentFault, IntegrityError
from kelp.frame.history import Cell, History
from kelp.frame.history_table import HISTORY_FILE
from kelp.frame.pseudonym import pseudonym
from kelp.frame.rows import instance_cell
from kelp.frame.scorer import RESTORE, Scorer, Scores
from kelp.frame.transform import Column


@dataclass(frozen=True, slots=True)
class Online:
    """A scorer with the history that its windows need, and the key that its private columns need."""

    scorer: Scorer
    history: History | None = None
    key: bytes | None = None

    @classmethod
    def load(cls, folder: Path, key: bytes | None = None) -> Self:
        """Load a version directory; `key` is the one that prepare made pseudonyms with.

        Raises:
            IntegrityError: a file is missing or corrupt, or they do not fit; the place is the file.
            EnvironmentFault: a column is private, and there is no key.
        """
        scorer = Scorer.load(folder)
        private = scorer.transform.private
        if private and not key:
            raise EnvironmentFault(
                f"the column {private[0]} is private, and there is no key to make pseudonyms with",
                place=str(folder),
                fix="name the file of the key that the model was trained with: --pseudonym-key FILE",
            )
        if not scorer.transform.windows:
            return cls(scorer, None, key)
        return cls(scorer, History.from_table(scorer.transform, _table(folder / HISTORY_FILE)), key)

    def score_columns(self, columns: Mapping[str, Column], cell: Cell = instance_cell) -> Scores:
        """Score the raw columns of a request; without its windows, each row is answered from the history and joins it.

        Args:
            columns: every raw column, and every window or none, of shape (n,) each; private values as they are.
            cell: names a cell in the message of an error.

        Raises:
            RequestError: as `History.answer`.
            DataError, IntegrityError: as `Scorer.score_columns`.
        """
        return self.scorer.score_columns(self.complete(columns, cell))

    def complete(
        self, columns: Mapping[str, Column], cell: Cell = instance_cell, *, takes_in: bool = True
    ) -> Mapping[str, Column]:
        """Add to the raw columns of a request what its rows are scored from.

        Args:
            columns: as `score_columns`.
            cell: likewise.
            takes_in: whether the rows join the history; if not, they do not see each other, and nothing is changed.

        Returns:
            Every raw column, pseudonyms in the place of private values, and every window.

        Raises:
            RequestError: as `History.answer`.
        """
        transform = self.scorer.transform
        if transform.private:
            columns = {**columns, **{name: self._pseudonyms(columns[name]) for name in transform.private}}
        if self.history is not None and transform.windows[0].name not in columns:
            ask = self.history.answer if takes_in else self.history.look
            columns = {**columns, **ask(columns, len(columns[transform.columns[0].name]), cell)}
        return columns

    @property
    def is_busy(self) -> bool:
        """Whether a request would wait for another one, on another thread."""
        return self.history is not None and self.history.is_busy

    def _pseudonyms(self, column: Column) -> Column:
        key = self.key or b""
        return np.array([None if value is None else pseudonym(key, value) for value in column.tolist()], dtype=object)


def _table(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise IntegrityError(f"cannot be read ({error})", place=str(path), fix=RESTORE) from error
