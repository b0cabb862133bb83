# SPDX-License-Identifier: Apache-2.0
"""The rim of every step: texts and paths from KFP become values, the environment is read once, errors are logged.

Called by the wrappers in `components.definitions`. KELP_HOME names the home file; a laptop also sets KELP_RUN_DIR,
whose name is the run's id. Each step's libraries are imported only when the step really runs, not when it is reused.
"""

import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kelp.audit.opening import open_log
from kelp.errors import EnvironmentFault, IntegrityError, KelpError, NotFound
from kelp.home import Home, load_home
from kelp.log import configure, context
from kelp.parquet import file_digest
from kelp.runs.code import code_digest
from kelp.runs.step import Result, Step, Surroundings, run_step
from kelp.spec import Model, model_from_json

CLUSTER_HOME = "/etc/kelp/home.toml"  # where the compiled pipeline mounts the ConfigMap

_log = logging.getLogger(__name__)

Work = Callable[["Rim", Mapping[str, Path]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Rim:
    """What every step knows about where it runs."""

    model: Model
    home: Home
    run_id: str
    around: Surroundings
    checkpoint: Callable[[], str]
    workspace: Path | None
    progress: Callable[[int, int | None], None]


def ingest(spec: str, run: str, source: str, snapshot: str) -> Result:
    """Run the step ingest; returns metadata for KFP."""
    with open_rim("ingest", spec, run) as rim:
        champion = _champion_data(rim)

        def work(rim: Rim, out: Mapping[str, Path]) -> Mapping[str, Any]:
            from components.ingest import ingest as step

            return step(rim.model, rim.home, source, out["snapshot"], champion=champion, progress=rim.progress)

        known = {"source": source, "champion": champion.get("digest") if champion else None}
        return _metadata(run_in(rim, "ingest", {}, {"snapshot": snapshot}, known, work))


def _champion_data(rim: "Rim") -> dict[str, Any] | None:
    """What ingest wrote down of the data that the present champion learnt from; None without a champion."""
    from kelp.registry import Registry

    registry = Registry.open(rim.home, f"run:{rim.run_id}")
    with registry.log:
        number = registry.champion(rim.model.name)
        if number is None:
            return None
        try:
            found = json.loads(registry.store.read_bytes(f"{rim.model.name}/{number}/ingest.json"))
        except NotFound:  # a version of an older kelp
            return None
        return dict(found)


def prepare(spec: str, run: str, snapshot: str, prepared: str) -> Result:
    """Run the step prepare; returns metadata for KFP."""

    def work(rim: Rim, out: Mapping[str, Path]) -> Mapping[str, Any]:
        from components.prepare import prepare as step

        return step(rim.model, rim.home, Path(snapshot), out["prepared"], progress=rim.progress)

    with open_rim("prepare", spec, run) as rim:
        return _metadata(run_in(rim, "prepare", {"snapshot": snapshot}, {"prepared": prepared}, {}, work))


def train(spec: str, run: str, seed: int, prepared: str, trained: str) -> Result:
    """Run the step train; returns metadata for KFP."""

    def work(rim: Rim, out: Mapping[str, Path]) -> Mapping[str, Any]:
        from components.train import train as step

        journal = rim.around.run_dir / "search.jsonl" if rim.around.run_dir else None
        return step(
            rim.model,
            Path(prepared),
            seed,
            out["trained"],
            journal=journal,
            search_path=rim.workspace,
            progress=rim.progress,
        )

    with open_rim("train", spec, run) as rim:
        from components.train.own import trainer_digest

        known = {"seed": seed, "trainer": trainer_digest(rim.model.spec.train.trainer, rim.workspace)}
        return _metadata(run_in(rim, "train", {"prepared": prepared}, {"trained": trained}, known, work))


def evaluate(spec: str, run: str, reason: str, steps: Mapping[str, str], evaluation: str) -> Result:
    """Run the step evaluate beside the present champion; returns what `dashboard.show` needs."""
    with open_rim("evaluate", spec, run) as rim, tempfile.TemporaryDirectory() as scratch:
        champion = _champion_folder(rim, Path(scratch))

        def work(rim: Rim, out: Mapping[str, Path]) -> Mapping[str, Any]:
            from components import evaluate as step

            if isinstance(champion, IntegrityError):  # raised here, so that the step's record says so
                raise champion
            folders = {name: Path(path) for name, path in steps.items()}
            lineage = {
                "run": rim.run_id,
                "reason": reason,
                "spec": rim.around.spec_digest,
                "snapshot": file_digest(folders["snapshot"] / "data.parquet"),
                "code": rim.around.code_digest,
                "checkpoint": rim.checkpoint(),
            }
            found = step.evaluate(
                rim.model, **folders, champion=champion, lineage=lineage, evaluation=out["evaluation"]
            )
            return {
                "result": found.result,
                "why": found.why,
                "scalars": step.scalars(found.document),
                "curves": step.curves(found.document),
                "confusion": step.confusion(found.document),
                "markdown": step.markdown(found.document),
            }

        inputs = {**steps, **({"champion": str(champion)} if isinstance(champion, Path) else {})}
        return run_in(rim, "evaluate", inputs, {"evaluation": evaluation}, {"reason": reason}, work)


def _champion_folder(rim: "Rim", scratch: Path) -> Path | IntegrityError | None:
    """The champion's files, checked; what is wrong with them; or None without a champion."""
    from kelp.registry import Registry

    registry = Registry.open(rim.home, f"run:{rim.run_id}")
    with registry.log:
        try:
            return registry.champion_folder(rim.model.name, scratch)
        except IntegrityError as error:
            return error


def package(spec: str, run: str, reason: str, steps: Mapping[str, str], packaged: str) -> Result:
    """Run the step package; returns metadata for KFP."""

    def work(rim: Rim, out: Mapping[str, Path]) -> Mapping[str, Any]:
        from components.package import package as step

        folders = {name: Path(path) for name, path in steps.items()}
        return step(rim.model, rim.home, rim.run_id, reason, folders, out["packaged"])

    with open_rim("package", spec, run) as rim:
        return _metadata(run_in(rim, "package", steps, {"packaged": packaged}, {"reason": reason}, work))


def register(spec: str, run: str, packaged: str, registered: str) -> Result:
    """Run the step register on a copy, which it signs; returns version and status as metadata for KFP."""

    def work(rim: Rim, out: Mapping[str, Path]) -> Mapping[str, Any]:
        from components.register import register as step

        shutil.copytree(packaged, out["registered"], dirs_exist_ok=True)
        return step(rim.model, rim.home, rim.run_id, out["registered"])

    with open_rim("register", spec, run) as rim:
        return _metadata(run_in(rim, "register", {"packaged": packaged}, {"registered": registered}, {}, work))


def run_in(
    rim: Rim,
    name: str,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    params: Mapping[str, Any],
    work: Work,
) -> Result:
    """Run one step's work; `inputs` and `outputs` are KFP's folders by name."""
    step = Step(
        name=name,
        inputs={key: Path(path) for key, path in inputs.items()},
        outputs={key: Path(path) for key, path in outputs.items()},
        params={"run": rim.run_id, **params},
        work=lambda out: work(rim, out),
    )
    return run_step(step, rim.around)


@contextmanager
def open_rim(step: str, spec: str, run: str) -> Iterator[Rim]:
    """Open everything a step needs from its surroundings, and log the error if it fails."""
    configure(stream=sys.stdout)
    run_dir = Path(os.environ["KELP_RUN_DIR"]) if "KELP_RUN_DIR" in os.environ else None
    run_id = run_dir.name if run_dir else run
    if run_id.startswith("{{"):
        raise EnvironmentFault(
            f"expected the run's id, got the placeholder {run_id}",
            fix="this Kubeflow Pipelines does not replace it; use version 2.4 or newer",
        )
    model = model_from_json(spec)
    home = load_home(Path(os.environ.get("KELP_HOME", CLUSTER_HOME)))
    with context(run=run_id, model=model.name, step=step), open_log(home, f"run:{run_id}") as log:

        def record(action: str, subject: str, detail: Mapping[str, Any]) -> None:
            log.append(action, subject, dict(detail))

        around = Surroundings(
            model=model.name,
            spec_digest=model.digest,
            code_digest=code_digest(),
            run_dir=run_dir,
            record=record,
            now=lambda: datetime.now(UTC),
        )
        try:
            workspace = run_dir.parents[2] if run_dir else None
            yield Rim(model, home, run_id, around, log.checkpoint, workspace, _progress(run_dir, step))
        except KelpError as error:
            _log.error("%s%s", error, f"; {error.fix}" if error.fix else "")
            raise


def _progress(run_dir: Path | None, step: str) -> Callable[[int, int | None], None]:
    """Tells whoever watches the run how far the step is; nobody does on a cluster."""
    if run_dir is None:
        return lambda done, total: None
    from kelp.runs.progress import ProgressFile

    return ProgressFile(run_dir, step)


def _metadata(result: Result) -> Result:
    """The plain values of a result: KFP shows them beside the artifact, and cannot hold anything deeper well."""
    return {name: value for name, value in result.items() if isinstance(value, str | int | float)}
