# SPDX-License-Identifier: Apache-2.0
"""The runs of a workspace: make a new one, list them, find one, find the one to resume."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from kelp.errors import Conflict, EnvironmentFault, InputError, KelpError, NotFound
from kelp.home import Home
from kelp.runs.code import code_digest, package_versions
from kelp.runs.files import write_whole
from kelp.runs.lock import is_alive
from kelp.runs.record import Parameter, RunRecord, read_record, write_record
from kelp.spec import Model

_log = logging.getLogger(__name__)
_TYPES: dict[str, type[Parameter]] = {"STRING": str, "NUMBER_INTEGER": int, "NUMBER_DOUBLE": float, "BOOLEAN": bool}


@dataclass(frozen=True, slots=True)
class Identity:
    """Where a new run gets its time and its four random hexadecimal digits from."""

    now: Callable[[], datetime]
    token: Callable[[], str]


def create_run(
    home: Home, model: Model, pipeline: str, parameters: Mapping[str, Parameter], identity: Identity
) -> Path:
    """Make the folder of a new run: pipeline.yaml, spec.yaml (with every default written out) and run.json.

    Args:
        home: says where runs are kept.
        model: the model to train.
        pipeline: its compiled pipeline, YAML.
        parameters: of the pipeline; those left out take the pipeline's defaults.
        identity: clock and randomness of the run's id, `<model>-<UTC yyyymmdd-hhmmss>-<4 hex>`.

    Raises:
        InputError: a parameter the pipeline does not have, or of the wrong type.
        EnvironmentFault: the folder cannot be written.
    """
    values = _checked(parameters, _declared(pipeline))
    created = identity.now()
    run = f"{model.name}-{created:%Y%m%d-%H%M%S}-{identity.token()}"
    run_dir = _folder(home) / run
    record = RunRecord(
        run=run,
        model=model.name,
        spec_digest=model.digest,
        code_digest=code_digest(),
        packages=package_versions(),
        reason=str(values.get("reason", "")),
        parameters=values,
        created=created,
    )
    try:
        run_dir.mkdir(parents=True)
        write_whole(run_dir / "pipeline.yaml", pipeline)
        write_whole(run_dir / "spec.yaml", yaml.safe_dump(json.loads(model.to_json()), allow_unicode=True))
        write_record(run_dir / "run.json", record)
    except FileExistsError as error:
        raise Conflict(f"the run {run} exists", place=str(run_dir), fix="start it again") from error
    except OSError as error:
        raise EnvironmentFault(f"the run cannot be written ({error.strerror})", place=str(run_dir)) from error
    return run_dir


def list_runs(home: Home, model: str | None = None) -> list[RunRecord]:
    """All runs, or those of one model, newest first; a killed one is `interrupted`, an unreadable one is left out."""
    records = []
    for path in _folder(home).glob("*/run.json"):
        try:
            record = _actual(read_record(RunRecord, path), path.parent)
        except KelpError as error:
            _log.warning("left out of the list: %s", error)
            continue
        if model is None or record.model == model:
            records.append(record)
    return sorted(records, key=lambda record: (record.created, record.run), reverse=True)


def find_run(home: Home, run: str) -> Path:
    """The folder of one run.

    Raises:
        NotFound: there is no such run.
    """
    run_dir = _folder(home) / run
    if run_dir.parent != _folder(home) or not (run_dir / "run.json").is_file():
        latest = ", ".join(record.run for record in list_runs(home)[:3]) or "none yet"
        raise NotFound(f"there is no run {run!r}", place=str(_folder(home)), fix=f"the latest runs: {latest}")
    return run_dir


def read_run(run_dir: Path) -> RunRecord:
    """The record of one run; `interrupted` if it says running and no process of it is alive."""
    return _actual(read_record(RunRecord, run_dir / "run.json"), run_dir)


def resumable_run(home: Home, model: Model) -> Path:
    """The folder of this model's latest run, if it failed or was killed and asked for the same spec.

    Raises:
        NotFound: the model has no run, or its latest one succeeded.
        Conflict: the latest run is still running.
        InputError: it asked for another spec.
    """
    latest = next(iter(list_runs(home, model.name)), None)
    if latest is None or latest.state == "succeeded":
        what = "has no run yet" if latest is None else f"ended its latest run, {latest.run}, with success"
        raise NotFound(f"the model {model.name} {what}: nothing to resume", fix="start a new run")
    place = str(_folder(home) / latest.run)
    if latest.state == "running":
        raise Conflict(f"the run {latest.run} is still running", place=place, fix="wait for it to end, or stop it")
    if latest.spec_digest != model.digest:
        raise InputError(
            f"the spec of {model.name} is no longer the one of the run {latest.run}",
            place=place,
            fix="start a new run, or put the spec back (this folder's spec.yaml has it)",
        )
    return _folder(home) / latest.run


def _folder(home: Home) -> Path:
    if "://" in home.runs:
        raise InputError(
            f"expected a folder for `runs`, got {home.runs}", place="home.toml", fix="runs of this machine are local"
        )
    return Path(home.runs)


def _actual(record: RunRecord, run_dir: Path) -> RunRecord:
    if record.state == "running" and not is_alive(run_dir):
        return record.model_copy(update={"state": "interrupted"})
    return record


def _declared(pipeline: str) -> dict[str, dict[str, Any]]:
    """The parameters of a compiled pipeline, by name, with parameterType and defaultValue."""
    root = next(iter(yaml.safe_load_all(pipeline)))["root"]
    declared: dict[str, dict[str, Any]] = root.get("inputDefinitions", {}).get("parameters", {})
    return declared


def _checked(parameters: Mapping[str, Parameter], declared: Mapping[str, dict[str, Any]]) -> dict[str, Parameter]:
    """The parameters with the pipeline's defaults; KFP itself checks nothing before a step fails on it."""
    unknown = sorted(set(parameters) - set(declared))
    if unknown:
        raise InputError(f"unknown parameter {unknown[0]}", fix=f"the pipeline has: {', '.join(sorted(declared))}")
    values: dict[str, Parameter] = {}
    for name, definition in declared.items():
        kind = _TYPES[definition["parameterType"]]
        value = parameters.get(name, kind(definition["defaultValue"]) if "defaultValue" in definition else None)
        if type(value) is not kind:
            raise InputError(f"expected {kind.__name__}, got {value!r}", place=f"parameter {name}")
        if isinstance(value, str) and "{{" in value:
            raise InputError("expected text without {{, which KFP would replace", place=f"parameter {name}")
        values[name] = value
    return values
