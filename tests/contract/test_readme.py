# SPDX-License-Identifier: Apache-2.0
"""What the README and the guides promise exists: commands, targets, links."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
KELP = re.compile(r"^\$ kelp (?:--\S+ \S+ )*([a-z]+)", re.MULTILINE)
MAKE = re.compile(r"^\$ make ([a-z-]+)", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)\)")


def named(pattern: re.Pattern[str]) -> set[str]:
    return {name for page in PAGES for name in pattern.findall(page.read_text())}


def test_every_kelp_command_of_the_pages_exists() -> None:
    commands = named(KELP)
    assert {"run", "predict", "audit"} <= commands
    for command in sorted(commands):
        done = subprocess.run(
            [sys.executable, "-c", "from kelp.cli import main; main()", command, "--help"],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, command


def test_every_make_target_of_the_pages_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "test"} <= named(MAKE) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
