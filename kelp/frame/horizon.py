# SPDX-License-Identifier: Apache-2.0
"""How far ahead a forecast may be asked: up to the horizon after the newest observation of its series."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from kelp.errors import RequestError
from kelp.frame.series import Value

Key = str | tuple[str, ...]
"""The text of an entity's value, or several where it is named by several columns."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def refuse_beyond(
    horizon_us: int,
    rows: Iterable[tuple[Key | None, int, Value | None]],
    newest_known: Callable[[Key], int | None],
    place: Callable[[int], str],
    names: Callable[[int], str],
) -> None:
    """Check the rows of a request in their order; one with a target is an observation that later rows build on.

    Args:
        horizon_us: how far ahead an answer may be, in microseconds.
        rows: series, time in microseconds and target of each; a None target asks for it.
        newest_known: time of the newest observation of a series before the request.
        place: from a row's position to the place of its time.
        names: from a row's position to the words that name its series.

    Raises:
        RequestError: a row asks for what lies too far ahead, or about a series without any observation.
    """
    newest: dict[Key, int] = {}
    for row, (key, at, target) in enumerate(rows):
        known = None if key is None else newest.get(key, newest_known(key))
        if target is not None and key is not None:
            newest[key] = at if known is None else max(at, known)
        elif target is None and known is None:
            raise RequestError(
                f"no history of {names(row)}",
                place=place(row),
                fix="send its past rows first, with the target",
            )
        elif target is None and known is not None and at > known + horizon_us:
            raise RequestError(
                f"expected a time up to {_written(known + horizon_us)}, the horizon after the newest observation of"
                f" {names(row)}, found {_written(at)}",
                place=place(row),
                fix="send its rows since then first, with the target",
            )


def series_names(columns: Sequence[tuple[str, bool, Sequence[str | None]]]) -> Callable[[int], str]:
    """Name the series of a row: `store=7, product="a"`; what is private is not said.

    Args:
        columns: name, whether it is private, and the texts of every row, for each column of the key.
    """
    return lambda row: ", ".join(
        f"{name}=(private)" if is_private else f"{name}={(texts[row] or 'null')[:40]}"
        for name, is_private, texts in columns
    )


def _written(time_us: int) -> str:
    """ISO 8601 in UTC; a time beyond the year 9999 as that."""
    try:
        return (_EPOCH + timedelta(microseconds=time_us)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return "the year 9999"
