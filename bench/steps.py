# SPDX-License-Identifier: Apache-2.0
"""What kelp adds to a step: `python -m bench.steps` (about a minute).

Four pipelines of one step run in turn through kfp.local, on this machine, in one run: a no-op; a no-op that imports
what the rim imports; one that also opens the audit log and appends two durable records; and a no-op inside the whole
rim (spec, home, audit log, digests, receipt, run record, lock). Each figure is the best of its rounds, the one least
disturbed by other processes. Budget: with the rim, imports apart, a step costs at most 1.2 times the no-op step.
"""

import functools
import io
import os
import resource
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from kelp.home import ensure_home
from kelp.spec import model_from_values

ROUNDS = 12
BUDGET = 1.2


def main() -> int:
    """Measure, print, and return 1 when over the budget."""
    with tempfile.TemporaryDirectory() as folder:
        pipelines = compiled(Path(folder))
        os.environ["KELP_HOME"] = str(ensure_home(Path(folder) / "home"))
        costs: dict[str, list[tuple[float, float]]] = {name: [] for name in pipelines}
        for turn in range(ROUNDS):
            for name, path in pipelines.items():
                run_dir = Path(folder) / f"{name}-{turn}-{secrets.token_hex(2)}"
                run_dir.mkdir()
                costs[name].append(run(path, run_dir))
    print("                            wall        CPU")
    wall = _ratio({name: min(cost[0] for cost in found) for name, found in costs.items()})
    cpu = _ratio({name: min(cost[1] for cost in found) for name, found in costs.items()})
    for label, left, right in zip(wall, wall.values(), cpu.values(), strict=True):
        print(f"{label:<22} {left:9.2f}  {right:9.2f}")
    print(f"budget {BUDGET} for the last line's wall time")
    return int(wall["ratio, imports apart"] > BUDGET)


def _ratio(best: dict[str, float]) -> dict[str, float]:
    """The lines of the table, in milliseconds and, last, as a ratio."""
    plain, imports, audit, rim = (best[name] * 1000 for name in ("plain", "imports", "audit", "rim"))
    return {
        "no-op step, ms": plain,
        "the rim's imports, ms": imports - plain,
        "the rim's work, ms": rim - imports,
        "of it the audit log": audit - imports,
        "ratio, imports apart": (rim - imports + plain) / plain,
    }


def run(pipeline: Path, run_dir: Path) -> tuple[float, float]:
    """Wall and CPU seconds of a pipeline of one step; the CPU's are the step's processes' alone."""
    from kfp import components, local

    os.environ["KELP_RUN_DIR"] = str(run_dir)
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(run_dir / "tasks"))
    component = components.load_component_from_file(str(pipeline))
    started, used = time.perf_counter(), _children_cpu()
    with redirect_stdout(io.StringIO()):
        component()
    return time.perf_counter() - started, _children_cpu() - used


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def compiled(folder: Path) -> dict[str, Path]:
    """Compile the four pipelines: one step each."""
    from kfp import compiler, dsl

    component: Callable[[Callable[..., None]], Callable[..., Any]] = functools.partial(
        dsl.component, base_image="bench-python", packages_to_install=[], install_kfp_package=False
    )

    @component
    def plain(spec: str, out: dsl.Output[dsl.Dataset]) -> None:
        from pathlib import Path

        Path(out.path).mkdir()

    @component
    def imports(spec: str, out: dsl.Output[dsl.Dataset]) -> None:
        from pathlib import Path

        from components import entry
        from kelp.audit import ledger, sqlite

        assert all((entry, ledger, sqlite))
        Path(out.path).mkdir()

    @component
    def audit(spec: str, out: dsl.Output[dsl.Dataset]) -> None:
        import os
        from pathlib import Path

        from components import entry
        from kelp.audit.opening import open_log
        from kelp.home import load_home

        assert entry
        with open_log(load_home(Path(os.environ["KELP_HOME"])), "run:bench") as log:
            log.append("step.start", "bench/noop", {"key": "0" * 64})
            log.append("step.done", "bench/noop", {"key": "0" * 64, "outputs": {"out": "0" * 64}})
        Path(out.path).mkdir()

    @component
    def rim(spec: str, out: dsl.Output[dsl.Dataset]) -> None:
        from components import entry

        with entry.open_rim("noop", spec, "bench") as rim:
            entry.run_in(rim, "noop", {}, {"out": out.path}, {}, lambda rim, out: {})

    paths = {}
    for name, step in {"plain": plain, "imports": imports, "audit": audit, "rim": rim}.items():
        paths[name] = folder / f"{name}.yaml"
        compiler.Compiler().compile(dsl.pipeline(_one(step), name=f"{name}-pipeline"), str(paths[name]))
    return paths


def _one(step: Callable[..., Any]) -> Callable[[], None]:
    def one() -> None:
        step(spec=_spec())

    return one


def _spec() -> str:
    data = {"source": "data://x.csv", "target": "y", "positive": "1"}
    values = {"apiVersion": "kelp.dev/v1alpha1", "kind": "Model", "metadata": {"name": "bench"}}
    return model_from_values({**values, "spec": {"task": "binary", "data": data}}, "bench").to_json()


if __name__ == "__main__":
    sys.exit(main())
