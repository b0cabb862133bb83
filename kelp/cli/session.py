# SPDX-License-Identifier: Apache-2.0
"""What every command shares: where the workspace is, the home, and the two ways of writing to the user."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kelp.errors import NotFound

if TYPE_CHECKING:
    from kelp.home import Home
    from kelp.registry import Registry


_PIPE_WIDTH = 10_000


@dataclass(frozen=True)
class Session:
    """One invocation of the command line; `home_option` is --home or KELP_HOME, None for the workspace's own."""

    workspace: Path
    home_option: Path | None

    @cached_property
    def home_file(self) -> Path:
        """The home's file; a laptop's is written by the first command that asks."""
        from kelp.home import ensure_home

        return self.home_option or ensure_home(self.workspace)

    @cached_property
    def home(self) -> "Home":
        """The home, read once."""
        from kelp.home import load_home

        return load_home(self.home_file)

    @cached_property
    def registry(self) -> "Registry":
        """The registry, acting as the person at this terminal."""
        from kelp.registry import Registry

        return Registry.open(self.home, self.actor)

    def close(self) -> None:
        """Release the audit log, if a command opened it."""
        if "registry" in self.__dict__:
            self.registry.log.close()

    @property
    def actor(self) -> str:
        """Who the audit log says did it: the user's name, or the number of a user who has none."""
        import getpass
        import os

        try:
            return f"user:{getpass.getuser()}"
        except (KeyError, OSError):  # a container whose user is not in /etc/passwd
            return f"user:{os.getuid()}"

    @cached_property
    def out(self) -> Console:
        """Results, on stdout; never wrapped for a reader that is a program."""
        return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PIPE_WIDTH)

    @cached_property
    def err(self) -> Console:
        """Progress and problems, on stderr."""
        return Console(stderr=True, highlight=False, soft_wrap=True)

    def print_table(self, names: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
        """Columns with a heading, on stdout; what looks like markup in a cell is printed as it is."""
        table = Table(*names, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
        self.out.print(table)

    def print_json(self, value: Any) -> None:
        """One JSON document on stdout, for machines."""
        print(json.dumps(value, indent=1, ensure_ascii=False, default=str))

    def champion_file(self, model: str, name: str) -> bytes:
        """One file of a model's champion.

        Raises:
            NotFound: the model has no champion.
        """
        number = self.registry.champion(model)
        if number is None:
            known = ", ".join(self.registry.models()) or "none yet"
            raise NotFound(f"no version of {model!r} is champion", fix=f"kelp run trains one; known models: {known}")
        return self.registry.store.read_bytes(f"{model}/{number}/{name}")
