# SPDX-License-Identifier: Apache-2.0
"""The command `python -m examples.fraud`."""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow.compute as pc

from examples.fraud.files import write_export
from examples.fraud.payments import Knobs
from examples.fraud.table import make_export

FORMATS = {"parquet": ("parquet",), "csv": ("csv",), "both": ("parquet", "csv")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the export the arguments ask for; return the exit code."""
    options = _parser().parse_args(arguments)
    export = make_export(
        rows=options.rows,
        days=options.days,
        seed=options.seed,
        knobs=Knobs(
            covariate_drift=options.covariate_drift,
            concept_drift=options.concept_drift,
            group_bias=options.group_bias,
        ),
        dirty_share=options.dirty,
    )
    try:
        files = write_export(export, options.out, FORMATS[options.format])
    except OSError as error:
        print(f"error: {options.out} cannot be written ({error.strerror}); choose another --out", file=sys.stderr)
        return 4
    fraud = pc.sum(pc.equal(export.table["is_fraud"], "true")).as_py()
    print(f"wrote {options.rows:,} payments ({fraud:,} fraudulent, {export.dirty:,} dirty) as {len(files)} files:")
    for path in files:
        print(f"  {path}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.fraud",
        description="Write invented card payments for models/fraud.yaml; the same arguments give the same bytes.",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write; an earlier export in it is replaced")
    parser.add_argument(
        "--rows", type=_from(1, 100_000_000), default=60_000, help="number of payments (default %(default)s)"
    )
    parser.add_argument("--days", type=_from(1, 3650), default=90, help="days from 2026-01-01 (default %(default)s)")
    parser.add_argument("--seed", type=_from(0, 2**63), default=7, help="default %(default)s")
    parser.add_argument("--format", choices=FORMATS, default="parquet", help="default %(default)s")
    shares = {
        "--dirty": (0.002, "share of rows that break the contract"),
        "--covariate-drift": (0.0, "larger amounts and more online payments, 0 to 1"),
        "--concept-drift": (0.0, "share of payments that follow a new rule of fraud"),
        "--group-bias": (0.0, "share of the age band 61+ whose labels nothing explains"),
    }
    for flag, (default, text) in shares.items():
        parser.add_argument(flag, type=_share, default=default, help=f"{text} (default %(default)s)")
    return parser


def _from(least: int, most: int) -> Callable[[str], int]:
    def whole_number(text: str) -> int:
        value = int(text) if text.isdecimal() and len(text) < 20 else -1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {most}, got {text!r}")
        return value

    return whole_number


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a share between 0 and 1, got {text!r}")
    return value


if __name__ == "__main__":
    sys.exit(main())
