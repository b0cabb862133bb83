# SPDX-License-Identifier: Apache-2.0
"""Slow functions of one value, applied to columns: once a distinct value, not once a row."""

from collections.abc import Callable
from typing import Any

MOST_REMEMBERED = 262_144


def text_of(value: object) -> str:
    """The text that stands for a value in keys and pseudonyms: `7`, `true`, `0.5`, or the string itself."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value + 0.0) if isinstance(value, float) else str(value)  # -0.0 is 0.0


class Remembered:
    """A function of one present value, for whole columns; null stays null.

    It remembers the answers to the latest distinct values, so that values which come again in the next batch cost
    one look-up in Arrow.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self._known: Any = None
        self._answers: Any = None

    def __call__(self, cells: Any) -> Any:
        """Map a pyarrow.Array; the type of the answer is what Arrow makes of the function's answers."""
        encoded = cells.dictionary_encode()
        if len(encoded.dictionary) == 0:
            return self._nothing(len(cells))
        return self._of(encoded.dictionary).take(encoded.indices)

    def _of(self, distinct: Any) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        if self._known is None:
            self._forget(distinct)
        unknown = distinct.filter(pc.is_null(pc.index_in(distinct, value_set=self._known)))
        if len(unknown) + len(self._known) > MOST_REMEMBERED:
            self._forget(distinct)
            unknown = distinct
        if len(unknown):
            answers = pa.array([self._function(value) for value in unknown.to_pylist()])
            self._known = pa.concat_arrays([self._known, unknown])
            self._answers = answers if len(self._answers) == 0 else pa.concat_arrays([self._answers, answers])
        return self._answers.take(pc.index_in(distinct, value_set=self._known))

    def _forget(self, like: Any) -> None:
        self._known = like.slice(0, 0)
        self._answers = like.slice(0, 0)

    def _nothing(self, rows: int) -> Any:
        import pyarrow as pa

        return pa.nulls(rows, pa.string() if self._answers is None else self._answers.type)
