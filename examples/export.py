# SPDX-License-Identifier: Apache-2.0
"""What the commands `python -m examples.<name>` share: limits of their arguments, and files that appear whole."""

import argparse
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def refuse_beyond(
    parser: argparse.ArgumentParser, options: argparse.Namespace, limits: Mapping[str, tuple[int, int]]
) -> None:
    """Exit with code 2 and the argument's name if a number is below the first limit or above the second."""
    for name, (least, most) in limits.items():
        found = getattr(options, name)
        if not least <= found <= most:
            parser.error(f"argument --{name}: expected a whole number from {least} to {most}, got {found}")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside `path`, in a folder that exists; what is written there takes its place after the block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    yield temporary
    temporary.replace(path)
