# SPDX-License-Identifier: Apache-2.0
"""A home in a folder of the test's own, with a real audit log, and version directories to put into it."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kelp.home import Home, ensure_home, load_home
from kelp.registry import Registry

NewVersion = Callable[[str], Path]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return load_home(ensure_home(tmp_path / ".kelp"))


@pytest.fixture
def registry(home: Home) -> Iterator[Registry]:
    opened = Registry.open(home, "user:test")
    with opened.log:
        yield opened


@pytest.fixture
def new_version(home: Home, tmp_path: Path) -> NewVersion:
    """Write the version directory of a run, and the snapshot that its manifest names."""

    def write(run: str) -> Path:
        folder = tmp_path / "packaged" / run
        (folder / "deep").mkdir(parents=True)
        (folder / "model.onnx").write_text(f"the model of {run}")
        (folder / "deep" / "report.html").write_text("<p>")
        data = f"the rows of {run}".encode()
        snapshot = hashlib.sha256(data).hexdigest()
        (Path(home.store) / "snapshots").mkdir(exist_ok=True)
        (Path(home.store) / "snapshots" / f"{snapshot}.parquet").write_bytes(data)
        files = {
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for name in ("model.onnx", "deep/report.html")
        }
        manifest = {"run": run, "result": "pass", "snapshot": snapshot, "files": files}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        (folder / "signature").write_text(f"signed by {run}")
        return folder

    return write
