# SPDX-License-Identifier: Apache-2.0
"""The events of a history as an Arrow table: the form of `history.parquet`.

by       string   JSON list of the columns that name the entity
over     string   the column of the values
entity   string   JSON list of the texts of the entity's values
time_us  int64    microseconds since 1970
number   int64    whole units of a number; null where none is kept
text     string   any other value; null where none is kept
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from kelp.errors import IntegrityError
from kelp.frame.group import Group
from kelp.frame.horizon import Key
from kelp.frame.parts import MOST_UNITS
from kelp.frame.series import Value
from kelp.frame.stream import Stream

HISTORY_FILE = "history.parquet"
_NAMES = ("by", "over", "entity", "time_us", "number", "text")
_CHUNK = 100_000  # rows that are Python objects at a time

Event = tuple[str, str, str, int, int | None, str | None]


def table_of(groups: Sequence[Group]) -> Any:
    """Every event, sorted by all columns from left to right."""
    import pyarrow as pa

    events = sorted(_events(groups), key=lambda event: (*event[:4], event[4] or 0, event[5] or ""))
    columns = list(zip(*events, strict=True)) or [()] * len(_NAMES)
    types = (pa.string(), pa.string(), pa.string(), pa.int64(), pa.int64(), pa.string())
    return pa.table({name: pa.array(found, kind) for name, kind, found in zip(_NAMES, types, columns, strict=True)})


def _events(groups: Sequence[Group]) -> Iterator[Event]:
    for group in groups:
        by = _json(group.by)
        for key, found in group.entities.items():
            entity = _json((key,) if isinstance(key, str) else key)
            for stream, series in zip(group.streams, found, strict=True):
                for time, value in zip(series.times[series.first :], series.values(), strict=True):
                    number, text = (value, None) if isinstance(value, int) else (None, value)
                    yield by, stream.over, entity, time, number, text


def fill_from_table(groups: Sequence[Group], table: Any) -> None:
    """Take every event of a table into groups that are empty.

    Raises:
        IntegrityError: a column is absent or of another type, or a row fits no stream.
    """
    streams = {
        (group.by, stream.over): (group, position, stream)
        for group in groups
        for position, stream in enumerate(group.streams)
    }
    previous = None
    for row, (by, over, entity, time, number, text) in enumerate(_rows(table)):
        try:
            if (by, over, entity) != previous:
                group, position, stream = streams[tuple(json.loads(by)), over]
                series = group.series_of(_key(group, entity))[position]
                previous = by, over, entity
            group.keep(stream, series, int(time), _value(stream, number, text))
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(
                f"expected an event of one of the transform's windows, found another: {error}",
                place=f"{HISTORY_FILE}, row {row}",
                fix="restore the file from the registry, or run the pipeline again",
            ) from error
    for group in groups:
        group.settle()


def _rows(table: Any) -> Iterator[tuple[Any, ...]]:
    absent = [name for name in _NAMES if name not in table.column_names]
    if absent:
        raise IntegrityError(f"expected the columns {', '.join(_NAMES)}, found no {absent[0]}", place=HISTORY_FILE)
    for batch in table.select(_NAMES).to_batches(max_chunksize=_CHUNK):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _key(group: Group, entity: str) -> Key:
    texts = json.loads(entity)
    if not isinstance(texts, list) or len(texts) != len(group.by) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"entity is no list of {len(group.by)} strings")
    return texts[0] if len(texts) == 1 else tuple(texts)


def _value(stream: Stream, number: Any, text: Any) -> Value:
    """The event's value, or any where the stream keeps none."""
    if stream.keeps == "numbers":
        if not isinstance(number, int) or abs(number) > MOST_UNITS:
            raise ValueError("number is no whole number of at most 2^40")
        return number
    if stream.keeps == "texts":
        if not isinstance(text, str):
            raise ValueError("text is no string")
        return text
    return 0


def _json(texts: Sequence[str]) -> str:
    return json.dumps(list(texts), ensure_ascii=False)
