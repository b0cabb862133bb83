# SPDX-License-Identifier: Apache-2.0
"""The command `python -m examples.intents`."""

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from examples.export import refuse_beyond, replacing
from examples.intents.messages import make_messages


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the messages; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.intents",
        description="Write support messages for models/intents.yaml; the same arguments give the same bytes.",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write messages.csv to")
    parser.add_argument("--copies", type=int, default=3, help="how often a phrase is used (default %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="default %(default)s")
    options = parser.parse_args(arguments)
    refuse_beyond(parser, options, {"copies": (1, 1000), "seed": (0, 2**63)})
    messages = make_messages(options.copies, options.seed)
    try:
        path = _write(messages, options.out)
    except OSError as error:
        print(f"error: {options.out} cannot be written ({error.strerror}); choose another --out", file=sys.stderr)
        return 4
    print(f"wrote {len(messages):,} messages as {path}")
    return 0


def _write(messages: list[dict[str, str]], folder: Path) -> Path:
    path = folder / "messages.csv"
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(messages[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(messages)
    return path


if __name__ == "__main__":
    sys.exit(main())
