# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime is imported in one place, and there without its telemetry."""

import os
import re
import subprocess
import sys
from pathlib import Path

import kelp

ROOT = Path(kelp.__file__).parents[1]
IMPORTS = re.compile(r"^\s*(import|from) onnxruntime", re.MULTILINE)


def test_importing_onnx_runtime_writes_nothing_into_the_users_home(tmp_path: Path) -> None:
    # It keeps quiet on CI machines of its own accord, so the variables that say so must not be there.
    environment = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    environment |= {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    code = "from kelp.frame.session import onnx_runtime; onnx_runtime().SessionOptions()"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


def test_nothing_else_imports_onnx_runtime() -> None:
    folders = ("kelp", "components", "pipelines", "serving", "controller", "bench", "examples", "tests")
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py") if IMPORTS.search(path.read_text())]
    assert found == [ROOT / "kelp" / "frame" / "session.py"]
