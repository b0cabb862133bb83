# SPDX-License-Identifier: Apache-2.0
"""What `make demo` runs, in a folder of its own."""

import os
import subprocess
import sys
from pathlib import Path

from tests.local.story.workplace import ROOT


def test_the_demo_ends_with_an_answer_a_report_and_a_verified_log(tmp_path: Path) -> None:
    for name in ("models", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KELP_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [str(ROOT / "examples" / "demo")],
        cwd=tmp_path,
        env={**clean, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"label": "true"' in done.stdout
    assert "OK " in done.stdout
    assert "checkpoint" in done.stdout
    assert Path(done.stdout.strip().splitlines()[-1].removeprefix("The report: ")).is_file()
