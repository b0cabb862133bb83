# SPDX-License-Identifier: Apache-2.0
"""ingest: read the source into one immutable snapshot and hold every row against the columns' contract.

Rows that break it go to `quarantine.parquet` with the reason; more than `maxBadRows` of them stop the run.
"""

import json
import logging
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.ingest import findings
from components.ingest.check import Reader
from components.ingest.contract import Checked
from components.ingest.drift import drift
from components.ingest.infer import infer
from components.ingest.look import Table, whole_table
from components.ingest.parts import Parts
from components.ingest.progress import Progress, Report
from components.ingest.refuse import refuse_bad_source
from components.ingest.snapshot import (
    column_profile,
    create_checked,
    quarantine_reasons,
    write_data,
    write_quarantine,
)
from components.ingest.source import resolve
from components.ingest.sql import opened
from kelp.home import Home
from kelp.parquet import file_digest
from kelp.spec import Model
from kelp.store import open_store

__all__ = ["Around", "ingest", "ingest_at"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Around:
    """What a run knows beside its source.

    Attributes:
        now: rows of a later time are warned about; with a time zone.
        champion: the content of its `ingest.json`; None if there is no champion.
        report: told the rows done and the rows in total (None while unknown), at least once a file.
        memory: bytes that queries may use before they spill to disk; 0 for half of what the process may have.
    """

    now: datetime
    champion: Mapping[str, Any] | None = None
    report: Report = lambda done, total: None
    memory: int = 0


def ingest(
    model: Model,
    home: Home,
    source: str,
    snapshot: Path,
    progress: Report = lambda done, total: None,
    champion: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`ingest_at` the present moment."""
    return ingest_at(model, home, source, snapshot, Around(datetime.now(UTC), champion, progress))


def ingest_at(model: Model, home: Home, source: str, snapshot: Path, around: Around) -> dict[str, Any]:
    """Write `snapshot/{data.parquet,quarantine.parquet,ingest.json}` and keep the data in the store.

    Args:
        model: the model whose `spec.data` says what the columns promise.
        home: says where `data://` and `s3://` are, and where snapshots are kept.
        source: read instead of `spec.data.source`, unless empty.
        snapshot: an existing, empty folder.
        around: the moment, the champion, and who wants to know how far it is.

    Returns:
        The content of ingest.json (source, digest, rows, quarantined, reasons, files, columns, declared, warnings,
        drift), and `reused`: how many files did not have to be read. Only the latter depends on earlier runs.

    Raises:
        DataError: the source cannot be read, or its rows break the contract.
        EnvironmentFault: the store, the disk or the memory failed.
    """
    address = source or model.spec.data.source
    store = open_store(home.store, home)
    with tempfile.TemporaryDirectory(prefix=".source-", dir=snapshot.parent) as folder:
        scratch = Path(folder)
        (scratch / "files").mkdir()
        (scratch / "parts").mkdir()
        files = resolve(address, home, scratch / "files")
        parts = Parts(store, scratch / "parts")
        with opened(scratch, around.memory) as connection:
            reader = Reader(connection, files, model.spec.data.csv, scratch, parts)
            table = whole_table(reader.look(Progress(around.report)))
            columns = infer(model, table, address)
            reader.check(columns, Progress(around.report, table.rows))
            create_checked(connection, columns, [file.name for file in files], reader.paths)
            summary = _write(_Run(connection, model, reader, table, columns), address, snapshot, around)
        store.put(f"snapshots/{summary['digest']}.parquet", snapshot / "data.parquet")
        parts.keep()
    text = json.dumps(summary, indent=1, sort_keys=True, ensure_ascii=False)
    (snapshot / "ingest.json").write_text(text, encoding="utf-8")
    _log.info("%s: %d of %d files had not changed and were not read", address, reader.reused, len(files))
    return summary | {"reused": reader.reused}


@dataclass(frozen=True, slots=True)
class _Run:
    """A source whose rows are checked; `connection` has `checked` and `files`."""

    connection: Any
    model: Model
    reader: Reader
    table: Table
    columns: tuple[Checked, ...]


def _write(run: _Run, address: str, snapshot: Path, around: Around) -> dict[str, Any]:
    """Refuse the source or write its rows; return the summary."""
    rows, bad = run.connection.execute("SELECT count(*) - count(_reason), count(_reason) FROM checked").fetchone()
    refuse_bad_source(run.connection, run.model, run.columns, address, (rows, bad))
    write_quarantine(run.connection, snapshot / "quarantine.parquet")
    write_data(run.columns, run.reader.paths, snapshot / "data.parquet", Progress(around.report, rows + bad))
    summary = {
        "source": address,
        "digest": file_digest(snapshot / "data.parquet"),
        "rows": rows,
        "quarantined": bad,
        "reasons": quarantine_reasons(run.connection),
        "files": run.reader.digests,
        "columns": column_profile(run.connection, run.columns, rows),
        "declared": bool(run.model.spec.data.columns),
    }
    summary["warnings"] = list(_findings(run, summary, around.now))
    summary["drift"] = drift(around.champion, summary) if around.champion is not None else []
    for text in (*summary["warnings"], *summary["drift"]):
        _log.warning("%s", text)
    return summary


def _findings(run: _Run, summary: Mapping[str, Any], now: datetime) -> Iterator[str]:
    yield from findings.of_files(run.reader.looks)
    yield from findings.of_texts(run.columns, run.table, run.reader.looks)
    yield from findings.of_values(summary["columns"], summary["rows"])
    yield from findings.of_rows(run.connection, run.model, run.columns)
    yield from findings.of_times(run.connection, run.model, run.columns, now.astimezone(UTC))
