# SPDX-License-Identifier: Apache-2.0
"""Write an export as one file a month, `payments-2026-01.parquet` or `.csv`, replacing an earlier export.

The bytes depend on the export and on the versions of numpy and pyarrow alone.
"""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from examples.fraud.table import UNREADABLE_AMOUNT, Export

_OWN_FILES = "payments-????-??."


def write_export(export: Export, folder: Path, formats: tuple[str, ...]) -> list[Path]:
    """Write the export and remove what an earlier one left in `folder`; return the files in order.

    Args:
        export: what to write; a month without payments gets no file.
        folder: created if it is missing.
        formats: any of "parquet" and "csv".

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for month in np.unique(export.month):
        of_month = pa.array(export.month == month)
        table = export.table.filter(of_month)
        for suffix in formats:
            path = folder / f"payments-{month}.{suffix}"
            temporary = path.with_name(f".{path.name}.{os.getpid()}")
            if suffix == "parquet":
                pa.parquet.write_table(table, temporary)
            else:
                unreadable = pa.array(export.unreadable).filter(of_month)
                pa.csv.write_csv(_as_text(table, unreadable), temporary)
            temporary.replace(path)
            written.append(path)
    for suffix in ("parquet", "csv"):
        for stale in set(folder.glob(_OWN_FILES + suffix)) - set(written):
            stale.unlink()
    return sorted(written)


def _as_text(table: pa.Table, unreadable: pa.Array) -> pa.Table:
    """Return the table as CSV shows it: ISO 8601 times with a Z, and text where an amount is unreadable."""
    times = pc.strftime(table["event_time"], format="%Y-%m-%dT%H:%M:%SZ")
    times = pc.replace_substring_regex(times, pattern=r"\.0+Z$", replacement="Z")
    amounts = pc.if_else(unreadable, UNREADABLE_AMOUNT, pc.cast(table["amount"], pa.string()))
    for name, column in (("event_time", times), ("amount", amounts)):
        table = table.set_column(table.column_names.index(name), name, column)
    return table
