# SPDX-License-Identifier: Apache-2.0
"""The command `python -m examples.intents`."""

import argparse
import csv
import os
import sys
from collections.abc import Sequence
from pathlib import Path

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
    for name, least, most in (("copies", 1, 1000), ("seed", 0, 2**63)):
        if not least <= getattr(options, name) <= most:
            found = getattr(options, name)
            parser.error(f"argument --{name}: expected a whole number from {least} to {most}, got {found}")
    messages = make_messages(options.copies, options.seed)
    try:
        path = _write(messages, options.out)
    except OSError as error:
        print(f"error: {options.out} cannot be written ({error.strerror}); choose another --out", file=sys.stderr)
        return 4
    print(f"wrote {len(messages):,} messages as {path}")
    return 0


def _write(messages: list[dict[str, str]], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "messages.csv"
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(messages[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(messages)
    temporary.replace(path)
    return path


if __name__ == "__main__":
    sys.exit(main())
