# SPDX-License-Identifier: Apache-2.0
"""What is known of one run, from what its folder holds: one value for lists, filters and comparisons.

A killed or damaged run gives what can still be read; `problem` says what could not.
`kelp.runs.query` filters and sorts these values; `kelp.cli` shows them.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kelp.errors import InputError, KelpError
from kelp.home import Home
from kelp.runs.outputs import artifacts_of, search_of
from kelp.runs.record import RunRecord, StepRecord, read_record
from kelp.runs.runs import read_run
from kelp.spec.types import camel

_log = logging.getLogger(__name__)
_RUN_ID = re.compile(r"(.+)-(\d{8}-\d{6})-[0-9a-f]{4}")


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One run; None and empty values are not known, or not yet.

    Attributes:
        run: its id, the name of its folder.
        folder: where it lies.
        state: as in run.json, or `damaged` where run.json cannot be read.
        created: UTC, ISO 8601; the other times as well.
        seconds: of all its attempts together.
        status: what the version had earned when it was registered.
        gates: pass, fail or undecided.
        gate_results: how many gates came to each result.
        main_metrics: those that a gate names, in the gates' order.
        digests: of snapshot, prepared, code and spec; sha256, hex.
        params: the trainer's, as it used them.
        metrics: by name, each with value, low and high.
        failure: what stopped it, one line.
        problem: what of the folder could not be read.
    """

    run: str
    folder: Path
    model: str = ""
    state: str = "damaged"
    reason: str = ""
    source: str = ""
    created: str | None = None
    started: str | None = None
    finished: str | None = None
    seconds: float | None = None
    seed: int | None = None
    version: int | None = None
    status: str = ""
    gates: str = ""
    gate_results: Mapping[str, int] = field(default_factory=dict)
    main_metrics: tuple[str, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[Mapping[str, Any], ...] = ()
    failure: str = ""
    problem: str = ""


def list_facts(home: Home) -> list[RunFacts]:
    """All runs, newest first, damaged ones included.

    Raises:
        InputError: the home keeps runs elsewhere than in a folder.
    """
    if "://" in home.runs:
        raise InputError(
            f"expected a folder for `runs`, got {home.runs}", place="home.toml", fix="runs of this machine are local"
        )
    folder = Path(home.runs)
    found = [run_facts(path) for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    return sorted(found, key=lambda facts: (facts.created or "", facts.run), reverse=True)


def run_facts(run_dir: Path) -> RunFacts:
    """What one run's folder says; never an error."""
    try:
        record = read_run(run_dir)
    except (KelpError, OSError) as error:
        _log.debug("%s: %s", run_dir, error)
        return _damaged(run_dir, error.message if isinstance(error, KelpError) else str(error))
    return RunFacts(
        run=run_dir.name,
        folder=run_dir,
        model=record.model,
        state=record.state,
        reason=record.reason,
        created=time_text(record.created),
        packages=record.packages,
        failure=_failure(record),
        **_times(record),
        **_of_steps(record.steps, {"code": record.code_digest, "spec": record.spec_digest}, record.parameters),
    )


def version_facts(number: int, manifest: Mapping[str, Any], training: Mapping[str, Any]) -> RunFacts:
    """What a version directory says of the run that made it, for when that run's folder is not here.

    Args:
        number: the version's.
        manifest: its manifest.json.
        training: of its evaluation.json.
    """
    packaged = {"gates": manifest.get("gates"), "metrics": manifest.get("metrics")}
    results = {"package": packaged, "evaluate": {"result": manifest.get("result")}, "train": training}
    results |= {"register": {"version": number}}
    now = datetime.fromtimestamp(0, UTC)
    steps = tuple(StepRecord(step=name, state="done", started=now, result=dict(r)) for name, r in results.items())
    digests = {name: str(manifest[name]) for name in ("snapshot", "prepared", "code", "spec") if manifest.get(name)}
    return RunFacts(
        run=str(manifest.get("run", "")),
        folder=Path(),
        model=str(manifest.get("model", "")),
        state="unknown",
        reason=str(manifest.get("reason", "")),
        packages=dict(_mapping(manifest.get("packages"))),
        **_of_steps(steps, digests, {"seed": manifest.get("seed")}),
    )


def _damaged(run_dir: Path, problem: str) -> RunFacts:
    """What the name and the steps' own records still say of a run whose run.json cannot be read."""
    named = _RUN_ID.fullmatch(run_dir.name)
    created = None
    try:
        if named:
            created = time_text(datetime.strptime(named[2], "%Y%m%d-%H%M%S").replace(tzinfo=UTC))
    except ValueError:
        named = None  # six digits that are no time of day: not a name that kelp gave
    return RunFacts(
        run=run_dir.name,
        folder=run_dir,
        model=named[1] if named else "",
        created=created,
        problem=problem,
        **_of_steps(_readable_steps(run_dir), {}, {}),
    )


def _readable_steps(run_dir: Path) -> tuple[StepRecord, ...]:
    found = []
    for path in (run_dir / "steps").glob("[!.]*.json"):
        try:
            found.append(read_record(StepRecord, path))
        except KelpError as error:
            _log.debug("%s", error)
    return tuple(sorted(found, key=lambda record: record.started))


def time_text(time: datetime) -> str:
    """A time as every fact has it: UTC, ISO 8601, whole seconds, so that times compare as texts."""
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _failure(record: RunRecord) -> str:
    if record.failure is None:
        return ""
    return next(iter(record.failure.message.splitlines()), record.failure.type)


def _times(record: RunRecord) -> dict[str, Any]:
    if not record.attempts:
        return {}
    first, last = record.attempts[0], record.attempts[-1]
    if last.finished is None:
        return {"started": time_text(first.started)}
    seconds = sum((one.finished - one.started).total_seconds() for one in record.attempts if one.finished)
    return {"started": time_text(first.started), "finished": time_text(last.finished), "seconds": round(seconds, 3)}


def _of_steps(
    steps: tuple[StepRecord, ...], digests: Mapping[str, str], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """What the steps' results say; a result of another form than today's gives what it can."""
    results = {step.step: step.result for step in steps}
    ingest, train, judged = (results.get(name, {}) for name in ("ingest", "train", "evaluate"))
    manifest, registered = results.get("package", {}), results.get("register", {})
    found = {"snapshot": ingest.get("digest"), "prepared": results.get("prepare", {}).get("digest"), **digests}
    params = {**_mapping(train.get("params")), **({"rounds": train["rounds"]} if "rounds" in train else {})}
    params.pop("seed", None)  # a fact of its own
    metrics = _metrics(_mapping(manifest.get("metrics")), _mapping(judged.get("scalars")))
    return {
        "source": ingest.get("source") or parameters.get("source", ""),
        "seed": train.get("seed", parameters.get("seed")),
        "version": registered.get("version"),
        "status": registered.get("status", ""),
        "gates": judged.get("result", ""),
        "gate_results": _gate_results(_gates(manifest)),
        "main_metrics": _main_metrics(_gates(manifest), metrics),
        "digests": {name: value for name, value in found.items() if value},
        "params": params,
        "metrics": metrics,
        "steps": tuple({"step": step.step, "state": step.state, "seconds": step.seconds} for step in steps),
    }


def _gates(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    gates = manifest.get("gates")
    return [gate for gate in gates if isinstance(gate, dict)] if isinstance(gates, list) else []


def _gate_results(gates: list[dict[str, Any]]) -> dict[str, int]:
    results = [gate.get("result") for gate in gates]
    return {name: results.count(name) for name in ("pass", "fail", "undecided") if name in results}


def _main_metrics(gates: list[dict[str, Any]], metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """A gate is kept as a sentence, such as `gap of recall across age_band at most 0.1`."""
    named = [word for gate in gates for word in str(gate.get("gate")).split() if word in metrics]
    return tuple(dict.fromkeys(named))


def _metrics(packaged: Mapping[str, Any], scalars: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    """The manifest's estimates; before there is one, evaluate's numbers, which end in _low and _high for bounds."""
    if packaged:
        return {
            name: {key: estimate.get(key) for key in ("value", "low", "high")}
            for name, estimate in packaged.items()
            if isinstance(estimate, dict)
        }
    bounds = {f"{name}{end}" for name in scalars for end in ("_low", "_high")}
    return {
        name: {"value": value, "low": scalars.get(f"{name}_low"), "high": scalars.get(f"{name}_high")}
        for name, value in scalars.items()
        if name not in bounds
    }


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def to_plain(facts: RunFacts) -> dict[str, Any]:
    """One run for machines, as JSON values with names in camelCase, with artifacts and the search."""
    return {
        **{camel(name): value for name, value in asdict(facts).items()},
        "folder": str(facts.folder),
        "artifacts": [asdict(artifact) for artifact in artifacts_of(facts.folder)],
        "search": search_of(facts.folder) or None,
    }
