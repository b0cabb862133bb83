# SPDX-License-Identifier: Apache-2.0
"""ingest: read the source into one immutable snapshot and hold every row against the columns' contract.

Rows that break it go to `quarantine.parquet` with the reason; more than `maxBadRows` of them stop the run.
"""

import json
from pathlib import Path
from typing import Any

from components.ingest.contract import Reading, infer, reason_expression, refuse_bad_source
from components.ingest.read import connect, load_raw
from components.ingest.source import resolve
from kelp.errors import DataError
from kelp.home import Home
from kelp.parquet import file_digest, write_parquet
from kelp.spec import Model
from kelp.store import open_store

__all__ = ["ingest"]


def ingest(model: Model, home: Home, source: str, snapshot: Path) -> dict[str, Any]:
    """Write `snapshot/{data.parquet,quarantine.parquet,ingest.json}` and keep the data in the store.

    Args:
        model: the model whose `spec.data` says what the columns promise.
        home: says where `data://` and `s3://` are, and where snapshots are kept.
        source: read instead of `spec.data.source`, unless empty.
        snapshot: an existing, empty folder.

    Returns:
        The content of ingest.json: source, digest, rows, quarantined, reasons, files, columns.

    Raises:
        DataError: the source cannot be read, or its rows break the contract.
    """
    address = source or model.spec.data.source
    files = resolve(address, home, snapshot)
    connection = connect()
    loaded = load_raw(connection, files)
    reading = infer(connection, model, loaded.columns)
    _cast(connection, reading)
    counts = connection.execute("SELECT count(*), count(_reason) FROM checked").fetchone()
    summary = {
        "source": address,
        "rows": counts[0] - counts[1],
        "quarantined": counts[1] + loaded.rejected,
        "reasons": _reasons(connection),
        "files": [{"path": file.name, "sha256": file_digest(file.path)} for file in files],
        "columns": _profile(connection, reading),
        "declared": bool(model.spec.data.columns),
    }
    _quarantine(connection, snapshot / "quarantine.parquet")
    refuse_bad_source(connection, model, address, summary["rows"], summary["quarantined"])
    summary["digest"] = _write_data(connection, reading, snapshot / "data.parquet")
    open_store(home.store, home).put(f"snapshots/{summary['digest']}.parquet", snapshot / "data.parquet")
    (snapshot / "ingest.json").write_text(json.dumps(summary, indent=1, sort_keys=True, ensure_ascii=False))
    return summary


def _cast(connection: Any, reading: Reading) -> None:
    """Make the table `checked`: every column in its type, `_reason` where a row breaks the contract."""
    casts = ", ".join(f"{column.cast} AS {column.quoted}" for column in reading.columns)
    connection.execute(
        f"CREATE TABLE checked AS SELECT _file, _row, {casts}, {reason_expression(reading)} AS _reason FROM raw"
    )


def _reasons(connection: Any) -> dict[str, int]:
    rows = connection.execute(
        """SELECT kind, count(*) FROM (
             SELECT regexp_replace(_reason, ', found .*$', '') AS kind FROM checked WHERE _reason IS NOT NULL
             UNION ALL SELECT 'line: ' || reason FROM rejected
           ) GROUP BY kind ORDER BY kind"""
    ).fetchall()
    return dict(rows)


def _profile(connection: Any, reading: Reading) -> dict[str, dict[str, Any]]:
    """Type, missing and distinct values (an estimate above 1,000) of each column among the good rows."""
    profile = {}
    for column in reading.columns:
        missing, distinct = connection.execute(
            f"SELECT count(*) FILTER ({column.quoted} IS NULL), count(DISTINCT {column.quoted}) "
            "FROM checked WHERE _reason IS NULL"
        ).fetchone()
        profile[column.name] = {"type": column.type, "missing": missing, "distinct": distinct}
    return profile


def _quarantine(connection: Any, path: Path) -> None:
    """Write every refused row as its source had it: file, row or line, reason, and the row as text."""
    reader = connection.execute(
        """SELECT checked._file AS file, checked._row AS row, _reason AS reason,
                  CAST(to_json(raw) AS VARCHAR) AS content
           FROM checked JOIN raw USING (_file, _row) WHERE _reason IS NOT NULL
           UNION ALL SELECT file, line, reason, content FROM rejected ORDER BY file, row"""
    ).to_arrow_reader()
    write_parquet(reader, reader.schema, path)


def _write_data(connection: Any, reading: Reading, path: Path) -> str:
    names = ", ".join(column.quoted for column in reading.columns)
    reader = connection.execute(
        f"SELECT {names} FROM checked WHERE _reason IS NULL ORDER BY _file, _row"
    ).to_arrow_reader()
    if write_parquet(reader, reader.schema, path) == 0:
        raise DataError("no rows are left", place=str(path))
    return file_digest(path)
