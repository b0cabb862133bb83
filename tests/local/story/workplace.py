# SPDX-License-Identifier: Apache-2.0
"""A folder in which a newcomer types kelp commands."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Workplace:
    """An empty folder that has models/ and data/, and the kelp of this environment."""

    folder: Path

    def kelp(self, *arguments: str, expect: int = 0, text: str | None = None) -> str:
        """Run one command to its end and return its stdout, then its stderr."""
        done = subprocess.run(
            [*_KELP, *arguments],
            cwd=self.folder,
            env=_environment(),
            input=text,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def json(self, *arguments: str) -> Any:
        """Run one command with --json and parse what it prints."""
        done = subprocess.run(
            [*_KELP, *arguments, "--json"],
            cwd=self.folder,
            env=_environment(),
            capture_output=True,
            timeout=60,
            check=True,
        )
        return json.loads(done.stdout)

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start a command and leave it running."""
        return subprocess.Popen(
            [*_KELP, *arguments],
            cwd=self.folder,
            env=_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @contextmanager
    def serving(self, name: str) -> Iterator[None]:
        """Serve one model while the block runs."""
        server = self.start("up", name, "--port", "0")
        try:
            yield
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(30) == 0

    def spec(self, name: str, text: str) -> str:
        """Write models/<name>.yaml and return its path as the user types it."""
        (self.folder / "models" / f"{name}.yaml").write_text(text)
        return f"models/{name}.yaml"

    @property
    def home(self) -> Path:
        """The workspace of the commands."""
        return self.folder / ".kelp"


_KELP = (sys.executable, "-c", "from kelp.cli import main; main()")


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("KELP_")}


def new_workplace(folder: Path, rows: int) -> Workplace:
    """Make a workplace with the fraud example's data and spec in it."""
    return example_workplace(folder, "fraud", "--rows", str(rows))


def example_workplace(folder: Path, data: str, *options: str, model: str | None = None) -> Workplace:
    """Make a workplace with the data of `examples.<data>` and the spec `models/<model or data>.yaml`."""
    (folder / "models").mkdir(parents=True)
    command = [sys.executable, "-m", f"examples.{data}", "--out", str(folder / "data" / data), *options]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    workplace = Workplace(folder)
    name = model or data
    workplace.spec(name, (ROOT / "models" / f"{name}.yaml").read_text())
    return workplace
