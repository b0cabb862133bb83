# SPDX-License-Identifier: Apache-2.0
"""ingest: read the source into one immutable snapshot and hold every row against the columns' contract.

Rows that break it go to `quarantine.parquet` with the reason; more than `maxBadRows` of them stop the run.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from components.ingest.contract import checked_table
from components.ingest.infer import infer
from components.ingest.read import Loaded, load_raw
from components.ingest.refuse import refuse_bad_source
from components.ingest.snapshot import column_profile, quarantine_reasons, write_data, write_quarantine
from components.ingest.source import resolve
from components.ingest.sql import connect
from kelp.home import Home
from kelp.parquet import file_digest
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
        EnvironmentFault: the store, the disk or the memory failed.
    """
    address = source or model.spec.data.source
    connection = connect()
    loaded, files = _load(connection, address, home, snapshot.parent)
    columns = infer(connection, model, loaded.columns, address)
    connection.execute(f"CREATE TABLE checked AS {checked_table(columns)}")
    rows, bad = connection.execute("SELECT count(*), count(_reason) FROM checked").fetchone()
    refuse_bad_source(connection, model, columns, address, (rows - bad, bad + loaded.rejected))
    write_quarantine(connection, columns, snapshot / "quarantine.parquet")
    write_data(connection, columns, snapshot / "data.parquet")
    summary = {
        "source": address,
        "digest": file_digest(snapshot / "data.parquet"),
        "rows": rows - bad,
        "quarantined": bad + loaded.rejected,
        "reasons": quarantine_reasons(connection),
        "files": files,
        "columns": column_profile(connection, columns),
        "declared": bool(model.spec.data.columns),
    }
    open_store(home.store, home).put(f"snapshots/{summary['digest']}.parquet", snapshot / "data.parquet")
    text = json.dumps(summary, indent=1, sort_keys=True, ensure_ascii=False)
    (snapshot / "ingest.json").write_text(text, encoding="utf-8")
    return summary


def _load(connection: Any, address: str, home: Home, beside: Path) -> tuple[Loaded, list[dict[str, str]]]:
    """Fill `raw`; return what it holds and each file's name and digest."""
    with tempfile.TemporaryDirectory(prefix=".source-", dir=beside) as scratch:
        files = resolve(address, home, Path(scratch))
        loaded = load_raw(connection, files, Path(scratch))
        return loaded, [{"path": file.name, "sha256": file_digest(file.path)} for file in files]
