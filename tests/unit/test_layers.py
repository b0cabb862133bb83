# SPDX-License-Identifier: Apache-2.0
"""The layers hold, and our top-level names are ours alone."""

import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A folder with code in it is importable by its own name, so no other distribution may bring that name.
FOLDERS = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))


def test_imports_point_downwards() -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [str(lint_imports), "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_folder_is_known_here() -> None:
    assert {"kelp", "components", "pipelines", "serving", "controller"} <= set(FOLDERS)


@pytest.mark.parametrize("name", FOLDERS)
def test_no_other_distribution_claims_our_name(name: str) -> None:
    assert set(packages_distributions().get(name, [])) <= {"kelp"}
