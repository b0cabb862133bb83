# SPDX-License-Identifier: Apache-2.0
"""The events of a history as an Arrow table: the form of `history.parquet`.

by       string   JSON list of the columns that name the entity
over     string   the column of the values
entity   string   JSON list of the texts of the entity's values
time_us  int64    microseconds since 1970
number   int64    whole units of a number; null where none is kept
text     string   any other value; null where none is kept

A version's file is sorted by all columns from left to right. The snapshot of a running server's history is in no order
but that the events of one time of an entity stand as they came. It says more, so that a server goes on as the one
before it:

used     int64    of two entities with the same `by` the one that was used later has the greater number

and, as `dropped` in the schema's metadata, how many events and entities each group has dropped.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from time import sleep
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelp.errors import IntegrityError
from kelp.frame.group import Group
from kelp.frame.group_copy import GroupCopy, StreamCopy
from kelp.frame.horizon import Key
from kelp.frame.parts import MOST_UNITS
from kelp.frame.series import Value
from kelp.frame.stream import Stream

HISTORY_FILE = "history.parquet"
_NAMES = ("by", "over", "entity", "time_us", "number", "text")
_DROPPED = b"dropped"
_CHUNK = 100_000  # rows that are Python objects at a time
_FEW = 200  # entities that are named before other threads get the interpreter


def table_of(copies: Sequence[GroupCopy]) -> Any:
    """Every event, sorted by all columns from left to right."""
    return (
        snapshot_of(copies).select(_NAMES).replace_schema_metadata().sort_by([(name, "ascending") for name in _NAMES])
    )


def snapshot_of(copies: Sequence[GroupCopy]) -> Any:
    """Every event, and what a server needs to go on as if it had not ended."""
    import pyarrow as pa

    strings = ("by", "over", "entity", "text")
    names = (*_NAMES, "used")
    schema = pa.schema({name: pa.string() if name in strings else pa.int64() for name in names})
    batches = [batch for copy in copies for batch in _batches(copy, schema)]
    dropped = json.dumps([copy.dropped for copy in copies])
    return pa.Table.from_batches(batches, schema).replace_schema_metadata({_DROPPED: dropped})


def _batches(copy: GroupCopy, schema: Any) -> Iterator[Any]:
    import pyarrow as pa

    keys, named = iter(copy.keys), [pa.array([], pa.string())]
    while few := [_json((key,) if isinstance(key, str) else key) for key in islice(keys, _FEW)]:
        named.append(pa.array(few, pa.string()))
        sleep(0)  # let answers come first
    entities, by, used = pa.concat_arrays(named), _json(copy.by), np.asarray(copy.used)
    for stream in copy.streams:
        of_entity = np.repeat(np.arange(len(entities)), stream.lengths)
        numbers = pa.array(_numbers(stream)) if stream.keeps == "numbers" else pa.nulls(len(of_entity), pa.int64())
        texts = (
            pa.array(stream.texts, pa.string()) if stream.keeps == "texts" else pa.nulls(len(of_entity), pa.string())
        )
        times = pa.array(np.asarray(stream.times))
        for start in range(0, len(of_entity), _CHUNK):
            part = slice(start, start + _CHUNK)
            rows = of_entity[part]
            yield pa.record_batch(
                [
                    pa.repeat(by, len(rows)),
                    pa.repeat(stream.over, len(rows)),
                    entities.take(pa.array(rows)),
                    *(column[part] for column in (times, numbers, texts)),
                    pa.array(used[rows]),
                ],
                schema=schema,
            )


def _numbers(stream: StreamCopy) -> NDArray[np.int64]:
    """The value of each event: sums stand one after the other, and the step to the next entity is no value."""
    steps = np.cumsum(np.asarray(stream.lengths) + 1)[:-1] - 1
    return np.delete(np.diff(np.asarray(stream.sums)), steps)


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
    is_by_use = "used" in table.column_names
    previous = None
    for row, (by, over, entity, time_us, number, text, used) in enumerate(_rows(table)):
        try:
            if (by, over, entity) != previous:
                group, position, stream = streams[tuple(json.loads(by)), over]
                found = group.series_of(_key(group, entity))
                series = found[position]
                if is_by_use:
                    found[0].used = int(used)
                previous = by, over, entity
            group.keep(stream, series, int(time_us), _value(stream, number, text))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise IntegrityError(
                f"expected an event of one of the transform's windows, found another: {error}",
                place=f"{HISTORY_FILE}, row {row}",
                fix="restore the file from the registry, or run the pipeline again",
            ) from error
    for group, (events, entities) in zip(groups, _dropped(table, len(groups)), strict=True):
        group.dropped_events += events
        group.dropped_entities += entities
        group.settle(is_by_use=is_by_use)


def _rows(table: Any) -> Iterator[tuple[Any, ...]]:
    import pyarrow as pa

    absent = [name for name in _NAMES if name not in table.column_names]
    if absent:
        raise IntegrityError(f"expected the columns {', '.join(_NAMES)}, found no {absent[0]}", place=HISTORY_FILE)
    if "used" not in table.column_names:
        table = table.append_column("used", pa.nulls(len(table), pa.int64()))
    for batch in table.select([*_NAMES, "used"]).to_batches(max_chunksize=_CHUNK):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _dropped(table: Any, groups: int) -> list[tuple[int, int]]:
    """How many events and entities each group has dropped; none where the table does not say."""
    try:
        said = json.loads((table.schema.metadata or {}).get(_DROPPED, b"null")) or [(0, 0)] * groups
        found = [(int(events), int(entities)) for events, entities in said]
    except (TypeError, ValueError) as error:
        raise IntegrityError(f"expected two counts for each group: {error}", place=HISTORY_FILE) from error
    if len(found) != groups:
        raise IntegrityError(f"expected counts for {groups} groups, found {len(found)}", place=HISTORY_FILE)
    return found


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
