# SPDX-License-Identifier: Apache-2.0
"""The command line in this process: what it prints and exits with, and a workspace without a pipeline run."""

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kelp.cli import main
from kelp.home import SIGNING_KEY, Home, ensure_home, load_home
from kelp.registry import Registry
from kelp.registry.signature import sign


@dataclass(frozen=True)
class Said:
    """The end of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


@dataclass(frozen=True)
class CommandLine:
    """A person in the folder `folder`, whose workspace is `.kelp` below it."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Said:
        """Type one command."""
        self.monkeypatch.setattr(sys, "argv", ["kelp", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self.capsys.readouterr()
        assert "Traceback" not in err
        return Said(int(ended.value.code or 0), out, err)

    @property
    def home(self) -> Home:
        """The workspace's home."""
        return load_home(ensure_home(self.folder / ".kelp"))

    def champion(self, model: str = "fraud", run: str = "r-1") -> None:
        """Register a signed version that has a transform and no model, and make it champion."""
        folder = self.folder / "packaged" / run
        folder.mkdir(parents=True)
        columns = [{"name": "amount", "type": "float"}, {"name": "shop", "type": "category"}]
        (folder / "transform.json").write_text(json.dumps({"columns": columns}))
        files = {"transform.json": hashlib.sha256((folder / "transform.json").read_bytes()).hexdigest()}
        (folder / "manifest.json").write_text(json.dumps({"run": run, "result": "pass", "files": files}))
        sign(folder, Path(self.home.keys) / SIGNING_KEY)
        registry = Registry.open(self.home, "user:test")
        with registry.log:
            registry.move(model, "champion", registry.add(model, run, folder), "passed")


def command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """A person in an empty folder whose environment says nothing of kelp."""
    monkeypatch.chdir(tmp_path)
    for name in ("KELP_HOME", "KELP_WORKSPACE", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return CommandLine(tmp_path, monkeypatch, capsys)
