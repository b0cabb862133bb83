# SPDX-License-Identifier: Apache-2.0
"""Two small steps of a real pipeline; imported in the step's own process, steered through files in a folder.

`<step>.fail` makes a step raise, `<step>.hang` makes it wait, until killed or until `<step>.hang` is gone.
"""

import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kelp.errors import DataError
from kelp.runs.step import Step, Surroundings, run_step


def make(value: str, control: str, made: str) -> None:
    """Write the value."""

    def work(out: Mapping[str, Path]) -> Mapping[str, Any]:
        (out["made"] / "value.txt").write_text(value)
        _obey(Path(control), "make")
        return {"length": len(value), "undefined": float("nan")}

    _run(Step("make", {}, {"made": Path(made)}, {"value": value}, work), Path(control))


def double(control: str, made: str, doubled: str) -> None:
    """Write the value twice; half of it before it may be killed."""

    def work(out: Mapping[str, Path]) -> Mapping[str, Any]:
        value = (Path(made) / "value.txt").read_text()
        (out["doubled"] / "first.txt").write_text(value)
        _obey(Path(control), "double")
        (out["doubled"] / "second.txt").write_text(value)
        return {"length": 2 * len(value)}

    _run(Step("double", {"made": Path(made)}, {"doubled": Path(doubled)}, {}, work), Path(control))


def _obey(control: Path, name: str) -> None:
    with (control / "calls").open("a") as calls:
        calls.write(f"{name}\n")
    if (control / f"{name}.fail").exists():
        raise DataError("expected a number, got soup", place="column amount", fix="eat it")
    if (control / f"{name}.crash").exists():
        raise ZeroDivisionError("boom")
    (control / f"{name}.pid").write_text(str(os.getpid()))
    while (control / f"{name}.hang").exists():
        time.sleep(0.02)


def _run(step: Step, control: Path) -> None:
    def record(action: str, subject: str, detail: Mapping[str, Any]) -> None:
        with (control / "audit").open("a") as audit:
            audit.write(json.dumps([action, subject, dict(detail)]) + "\n")

    run_dir = Path(os.environ["KELP_RUN_DIR"])
    run_step(step, Surroundings("tiny", "spec", "code", run_dir, record, lambda: datetime.now(UTC)))
