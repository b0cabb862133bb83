# SPDX-License-Identifier: Apache-2.0
"""How far a step is: counts rows up, and tells whoever asked for it."""

from collections.abc import Callable

Report = Callable[[int, int | None], None]  # rows done, rows in total or None while that is unknown


class Progress:
    """Rows done of one pass over the source."""

    def __init__(self, report: Report, total: int | None = None) -> None:
        self._report = report
        self._total = total
        self._done = 0

    def add(self, rows: int) -> None:
        """Report that so many more rows are done."""
        self._done += rows
        self._report(self._done, self._total)
