# SPDX-License-Identifier: Apache-2.0
"""The command `python -m examples.disease`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from examples.disease.samples import write_samples


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the samples; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.disease",
        description="Write tumour samples for models/disease.yaml; the same arguments give the same bytes.",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write samples.csv to")
    parser.add_argument("--seed", type=int, default=7, help="of the invented patients (default %(default)s)")
    options = parser.parse_args(arguments)
    if options.seed < 0:
        parser.error(f"argument --seed: expected a whole number from 0, got {options.seed}")
    try:
        path = write_samples(options.out, options.seed)
    except OSError as error:
        print(f"error: {options.out} cannot be written ({error.strerror}); choose another --out", file=sys.stderr)
        return 4
    print(f"wrote 569 samples (212 malignant) as {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
