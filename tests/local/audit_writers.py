# SPDX-License-Identifier: Apache-2.0
"""Processes that write to one audit log: `python -m tests.local.audit_writers COMMAND FOLDER NAME ARGUMENT`.

Each prints a line only after the log has acknowledged what the line names.
"""

import os
import signal
import sys
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from kelp.audit.ledger import Ledger
from kelp.audit.log import PublishAliases
from kelp.audit.sqlite import LocalLog
from kelp.errors import Conflict

SEED = bytes(range(32))


def open_folder(folder: Path, actor: str, publish_aliases: PublishAliases | None = None) -> LocalLog:
    """Open the log as these processes do."""
    return LocalLog(Ledger(folder, seed=SEED, publish_aliases=publish_aliases), actor)


def append(folder: Path, name: str, times: int) -> None:
    """Append `times` records."""
    with open_folder(folder, name) as log:
        for number in range(times):
            log.append("step.done", f"{name}/{number}")
            print(f"{name}/{number}", flush=True)


def append_for_ever(folder: Path, name: str, batch: int) -> None:
    """Append until killed; every third record moves an alias as well."""
    with open_folder(folder, name) as log:
        for number in count():
            log.append("step.done", f"{name}/{number}", {"padding": "x" * (number % 7 * 500)})
            print(f"{name}/{number}", flush=True)
            if number % 3 == 0:
                log.move_alias(name, "latest", expected=number // 3 or None, version=number // 3 + 1)


def promote(folder: Path, name: str, version: int) -> None:
    """Try to move the champion from 1 to `version`; say whether that won."""
    with open_folder(folder, name) as log:
        print("ready", flush=True)
        sys.stdin.readline()
        try:
            log.move_alias("fraud", "champion", expected=1, version=version)
        except Conflict:
            print("lost", flush=True)
        else:
            print("won", flush=True)


def die_before_publishing(folder: Path, name: str, version: int) -> None:
    """Move an alias and be killed between the commit and the registry's copy."""

    def die(_: str, __: Mapping[str, int]) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    open_folder(folder, name, die).move_alias("fraud", "champion", expected=None, version=version)


if __name__ == "__main__":
    command, folder, name, argument = sys.argv[1:]
    commands = (append, append_for_ever, promote, die_before_publishing)
    {one.__name__: one for one in commands}[command](Path(folder), name, int(argument))
