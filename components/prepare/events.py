# SPDX-License-Identifier: Apache-2.0
"""`history.parquet`: the events at the end of the snapshot, from which a server's windows go on."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from components.prepare.distinct import Remembered, text_of
from components.prepare.engine import Engine
from components.prepare.snapshot import Source
from components.prepare.windows import NUMBERS, Rows
from kelp.frame.parts import Window
from kelp.parquet import write_parquet

MOST_EVENTS = 10_000  # of one entity that a server keeps
_NAMES = ("by", "over", "entity", "time_us", "number", "text")


def write_history(
    engine: Engine, rows: Rows, windows: Sequence[Window], source: Source, path: Path, scratch: Path
) -> None:
    """Write the events that a row right after the snapshot could read, in the form of `kelp.frame.history_table`."""
    import pyarrow as pa

    kinds = (pa.string(), pa.string(), pa.string(), pa.int64(), pa.int64(), pa.string())
    schema = pa.schema(list(zip(_NAMES, kinds, strict=True)))
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        unsorted = Path(folder) / "events.parquet"
        write_parquet(_events(engine, rows, windows, source, schema), schema, unsorted)
        table = engine.table(unsorted, "events")
        cells = {name: f"c{at}" for at, name in enumerate(_NAMES)}
        ordered = table.order_by(list(cells.values())).select(**{name: table[cell] for name, cell in cells.items()})
        batches = (batch.cast(schema) for batch in engine.batches(ordered))
        write_parquet(batches, schema, path)


def _events(engine: Engine, rows: Rows, windows: Sequence[Window], source: Source, schema: Any) -> Iterator[Any]:
    for window in longest_windows(windows):
        event, time = rows.event(window), rows.cell(rows.time)
        # The last event, not the last row: the rows to forecast, which have no target, come after all events.
        last = engine.rows(rows.table.agg(last=time.max(where=event.notnull())))[0]["last"]
        if last is None:
            continue
        chosen = rows.table.filter(event.notnull() & (time >= int(last) - window.start_us))
        keys = {f"k{at}": chosen[rows.cells[name]] for at, name in enumerate(window.by)}
        # The expression again, on the rows that are left.
        left = Rows(chosen, rows.cells, rows.types, rows.time, rows.needed)
        expression = chosen.select(time=left.cell(rows.time), value=left.event(window), **keys)
        entity_of = [_text_function(source, name) for name in window.by]
        value_of = _text_function(source, window.over)
        for batch in engine.batches(expression):
            cells = [batch.column(name) for name in keys]
            entity = json_lists([function(cell) for function, cell in zip(entity_of, cells, strict=True)])
            yield _batch(window, entity, batch, rows.types[window.over] in NUMBERS, value_of, schema)


def longest_windows(windows: Sequence[Window]) -> list[Window]:
    """Of each stream of events, that is `by` and `over`, the window that looks back furthest."""
    streams: dict[tuple[tuple[str, ...], str], Window] = {}
    for window in windows:
        known = streams.get((window.by, window.over))
        if known is None or window.start_us > known.start_us:
            streams[window.by, window.over] = window
    return list(streams.values())


def _text_function(source: Source, name: str) -> Any:
    """From raw values, as the engine has them, to their texts: pseudonyms of private ones."""
    return source.texts.get(name) or Remembered(text_of)


def _batch(window: Window, entity: Any, batch: Any, is_number: bool, value_of: Any, schema: Any) -> Any:
    import pyarrow as pa

    rows = batch.num_rows
    value = batch.column("value")
    columns = [
        pa.repeat(json.dumps(list(window.by), ensure_ascii=False), rows),
        pa.repeat(window.over, rows),
        entity,
        batch.column("time"),
        value if is_number else pa.nulls(rows, pa.int64()),
        pa.nulls(rows, pa.string()) if is_number else value_of(value),
    ]
    return pa.record_batch(columns, schema=schema)


def json_lists(columns: Sequence[Any]) -> Any:
    """JSON lists of texts: one a row, from one string column a place in the list; a missing text is null."""
    import pyarrow.compute as pc

    written = [Remembered(_written)(cells).cast("string").fill_null("null") for cells in columns]
    inside = pc.binary_join_element_wise(*written, ", ")
    return pc.binary_join_element_wise("[", inside, "]", "")


def _written(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def busy_entities(engine: Engine, rows: Rows, windows: Sequence[Window]) -> list[str]:
    """Warnings about entities with more events within a window than a server keeps."""
    import ibis

    found = []
    for window in longest_windows(windows):
        events = rows.table.select(
            time=rows.cell(rows.time),
            event=rows.event(window),
            **{f"k{at}": rows.cell(name) for at, name in enumerate(window.by)},
        )
        keys = [f"k{at}" for at in range(len(window.by))]
        totals = events.group_by(keys).agg(events=events["event"].count())
        if not engine.rows(totals.filter(totals["events"] > MOST_EVENTS).limit(1)):
            continue
        frame = ibis.range_window(preceding=(window.start_us, window.end_us), group_by=keys, order_by="time")
        counts = events.select(*keys, events=events["event"].count().over(frame))
        busy = counts.filter(counts["events"] > MOST_EVENTS).select(keys).distinct().count()
        number = engine.rows(busy.as_table())[0]
        if count := next(iter(number.values())):
            found.append(
                f"windows of {window.over} by {', '.join(window.by)}: {count} have more than {MOST_EVENTS:,} events"
                " within one, of which a server keeps the newest"
            )
    return found
