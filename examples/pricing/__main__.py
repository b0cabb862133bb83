# SPDX-License-Identifier: Apache-2.0
"""The command `python -m examples.pricing`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from examples.export import refuse_beyond, replacing
from examples.pricing.table import make_quotes


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the quotes; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.pricing",
        description="Write invented price quotes for models/pricing.yaml; the same arguments give the same bytes.",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write quotes.parquet to")
    parser.add_argument("--rows", type=int, default=50_000, help="about how many quotes (default %(default)s)")
    parser.add_argument("--days", type=int, default=35, help="from 2026-03-02 (default %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="default %(default)s")
    options = parser.parse_args(arguments)
    refuse_beyond(parser, options, {"rows": (1, 10_000_000), "days": (1, 3650), "seed": (0, 2**63)})
    table = make_quotes(options.rows, options.days, options.seed)
    try:
        path = _write(table, options.out)
    except OSError as error:
        print(f"error: {options.out} cannot be written ({error.strerror}); choose another --out", file=sys.stderr)
        return 4
    print(f"wrote {table.num_rows:,} quotes as {path}")
    return 0


def _write(table: pa.Table, folder: Path) -> Path:
    path = folder / "quotes.parquet"
    with replacing(path) as temporary:
        pyarrow.parquet.write_table(table, temporary)
    return path


if __name__ == "__main__":
    sys.exit(main())
