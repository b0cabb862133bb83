# SPDX-License-Identifier: Apache-2.0
"""kelp doctor: what this machine has, what it lacks, and what to do about it."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from kelp.cli.session import Session
from kelp.errors import EnvironmentFault

_NEEDED = {
    "training": ("duckdb", "pyarrow", "xgboost", "onnxmltools", "onnxruntime"),
    "pipelines": ("kfp", "kfp.kubernetes"),
    "serving": ("kserve", "onnxruntime"),
    "signing": ("model_signing", "OpenSSL"),
}
_FREE_GIB = 2


def doctor(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Check this machine; exit 4 when something needed is missing."""
    session: Session = context.obj
    findings = [*_needed(session), *_optional()]
    if json:
        session.print_json([{"ok": ok, "needed": needed, "finding": text} for ok, needed, text in findings])
    else:
        for ok, needed, text in findings:
            sign = "[green]✓[/]" if ok else "[red]✗[/]" if needed else "[yellow]-[/]"
            session.out.print(f"{sign} {escape(text)}")
    if not all(ok for ok, needed, _ in findings if needed):
        raise EnvironmentFault("something needed is missing", place="this machine", fix="see the lines marked ✗")


def _needed(session: Session) -> Iterator[tuple[bool, bool, str]]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield (3, 11) <= sys.version_info[:2] <= (3, 13), True, f"Python {version} (3.11 to 3.13)"
    for purpose, modules in _NEEDED.items():
        missing = [name for name in modules if not _is_installed(name)]
        what = f"missing: {', '.join(missing)}; make setup installs them" if missing else ", ".join(modules)
        yield not missing, True, f"{purpose}: {what}"
    yield from _folders(Path(session.home.runs), Path(session.home.keys))


def _folders(runs: Path, keys: Path) -> Iterator[tuple[bool, bool, str]]:
    is_private = keys.is_dir() and keys.stat().st_mode & 0o077 == 0
    yield is_private, True, f"keys: {keys} {'is' if is_private else 'expected to be a folder'} readable by you alone"
    if not (runs.is_dir() and os.access(runs, os.W_OK)):
        yield False, True, f"runs: {runs} expected to be a folder that can be written"
        return
    free = shutil.disk_usage(runs).free / 2**30
    yield free >= _FREE_GIB, True, f"runs: {free:.0f} GiB free in {runs} (at least {_FREE_GIB})"


def _optional() -> Iterator[tuple[bool, bool, str]]:
    for program, purpose in (("kubectl", "to apply rendered objects"), ("docker", "to build the images")):
        found = shutil.which(program)
        yield found is not None, False, f"{program} {'found' if found else 'not found'}: only needed {purpose}"


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
