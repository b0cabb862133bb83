# SPDX-License-Identifier: Apache-2.0
"""The command `python -m examples.demand`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from examples.demand.table import make_sales
from examples.export import replacing


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the sales; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.demand",
        description="Write invented daily sales for models/demand.yaml; the same arguments give the same bytes.",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write sales.csv to")
    parser.add_argument("--days", type=int, default=730, help="from 2024-01-01 (default %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="default %(default)s")
    options = parser.parse_args(arguments)
    if not 1 <= options.days <= 3650:
        parser.error(f"argument --days: expected a whole number from 1 to 3650, got {options.days}")
    if options.seed < 0:
        parser.error(f"argument --seed: expected a whole number from 0, got {options.seed}")
    table = make_sales(options.days, options.seed)
    try:
        path = _write(table, options.out)
    except OSError as error:
        print(f"error: {options.out} cannot be written ({error.strerror}); choose another --out", file=sys.stderr)
        return 4
    print(f"wrote {table.num_rows:,} days of 96 series as {path}")
    return 0


def _write(table: pa.Table, folder: Path) -> Path:
    path = folder / "sales.csv"
    with replacing(path) as temporary:
        pyarrow.csv.write_csv(table, temporary)
    return path


if __name__ == "__main__":
    sys.exit(main())
