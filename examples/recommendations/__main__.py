# SPDX-License-Identifier: Apache-2.0
"""The command `python -m examples.recommendations`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from examples.export import refuse_beyond, replacing
from examples.recommendations.table import make_lists


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the lists; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.recommendations",
        description="Write weekly lists for models/recommendations.yaml; the same arguments give the same bytes.",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write lists.parquet to")
    parser.add_argument("--users", type=int, default=500, help="how many users (default %(default)s)")
    parser.add_argument("--weeks", type=int, default=20, help="from 2026-01-05 (default %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="default %(default)s")
    options = parser.parse_args(arguments)
    refuse_beyond(parser, options, {"users": (1, 100_000), "weeks": (1, 520), "seed": (0, 2**63)})
    table = make_lists(options.users, options.weeks, options.seed)
    try:
        path = _write(table, options.out)
    except OSError as error:
        print(f"error: {options.out} cannot be written ({error.strerror}); choose another --out", file=sys.stderr)
        return 4
    print(f"wrote {table.num_rows:,} rows, {options.users:,} lists a week, as {path}")
    return 0


def _write(table: pa.Table, folder: Path) -> Path:
    path = folder / "lists.parquet"
    with replacing(path) as temporary:
        pyarrow.parquet.write_table(table, temporary)
    return path


if __name__ == "__main__":
    sys.exit(main())
