# SPDX-License-Identifier: Apache-2.0
"""What the command line says of itself; `UPDATE_GOLDENS=1` rewrites the golden file."""

import json
import os
import re
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest

from kelp.cli.app import app

GOLDEN = Path(__file__).parents[1] / "golden" / "help.txt"
COMMANDS = [
    [],
    ["init"],
    ["run"],
    ["up"],
    ["status"],
    ["report"],
    ["check"],
    ["predict"],
    ["explain"],
    ["runs"],
    ["compare"],
    ["models"],
    ["export"],
    ["compile"],
    ["render"],
    ["doctor"],
    ["audit"],
    ["audit", "show"],
    ["audit", "verify"],
    ["audit", "prove"],
    ["audit", "checkpoint"],
]
HEAVY = ["numpy", "kfp", "duckdb", "pyarrow", "xgboost", "onnxruntime", "kubernetes", "kserve", "pandas", "torch"]
PRINT_PAGES = """
import json, sys
from typer.testing import CliRunner
from kelp.cli.app import app
found = [CliRunner().invoke(app, [*command, "--help"], prog_name="kelp") for command in json.load(sys.stdin)]
print(json.dumps([page.stdout for page in found]))
"""
PRINT_HEAVY = """
import atexit, json, sys
heavy = json.load(sys.stdin)
atexit.register(lambda: print(json.dumps([name for name in heavy if name in sys.modules]), file=sys.stderr))
from kelp.cli import main
main()
"""


def python(script: str, given: object, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a terminal of 100 columns without colours would, whatever this process's own is."""
    plain = {
        "COLUMNS": "100",
        "TERMINAL_WIDTH": "100",
        "_TYPER_FORCE_DISABLE_TERMINAL": "1",
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=plain,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


@cache
def pages() -> dict[str, str]:
    """The help of every command, by what is typed."""
    texts = json.loads(python(PRINT_PAGES, COMMANDS).stdout)
    names = [" ".join(["kelp", *command, "--help"]) for command in COMMANDS]
    plain = ["\n".join(line.rstrip() for line in text.strip().splitlines()) for text in texts]
    return dict(zip(names, plain, strict=True))


def test_help_is_the_golden_one() -> None:
    text = "\n\n".join(f"$ {typed}\n\n{page}" for typed, page in pages().items()) + "\n"
    if os.environ.get("UPDATE_GOLDENS"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8"), "UPDATE_GOLDENS=1 rewrites it after a wanted change"


def test_every_command_is_in_the_golden_help() -> None:
    groups = {group.name: group.typer_instance for group in app.registered_groups}
    assert groups.keys() == {"audit"}
    named = {command.name for command in app.registered_commands}
    of_audit = groups["audit"].registered_commands if groups["audit"] else []
    named |= {f"audit {command.callback.__name__}" for command in of_audit if command.callback}
    assert named == {" ".join(command) for command in COMMANDS} - {"", "audit"}


def test_every_option_is_explained() -> None:
    for typed, page in pages().items():
        options = [line for line in page.splitlines() if re.match(r"│[ *]*--", line)]
        assert options, typed
        assert all(len(re.split(r" {2,}", line.strip("│* "))) == 3 for line in options), typed  # name, type, what for


def test_version_is_that_of_the_package() -> None:
    assert python(PRINT_HEAVY, [], "--version").stdout == f"kelp {version('kelp')}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]], ids=" ".join)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    assert json.loads(python(PRINT_HEAVY, HEAVY, *arguments).stderr) == []
