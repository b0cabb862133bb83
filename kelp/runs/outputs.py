# SPDX-License-Identifier: Apache-2.0
"""What the finished steps of a run left in their folders; receipts say where those lie.

Read by `kelp.runs.facts` and the command line. What is not there, or cannot be read, is left out, never an error.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kelp.runs.receipt import read_receipt

_log = logging.getLogger(__name__)
_FILES = {"ingest": "ingest.json", "prepare": "prepare.json", "train": "train.json", "evaluate": "evaluation.json"}


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file of a run; `bytes` is None where it is not there any more."""

    name: str
    path: str
    sha256: str
    bytes: int | None


def output_folder(run_dir: Path, step: str) -> Path | None:
    """The folder a finished step filled, or None."""
    receipt = read_receipt(run_dir, step)
    output = next(iter(receipt.outputs.values()), None) if receipt else None
    return run_dir / output.path if output else None


def step_document(run_dir: Path, step: str) -> Mapping[str, Any]:
    """The JSON file in which ingest, prepare, train or evaluate says what it did; empty before it has finished."""
    folder = output_folder(run_dir, step)
    return read_object(folder / _FILES[step]) if folder and step in _FILES else {}


def step_warnings(run_dir: Path, step: str) -> list[str]:
    """What a finished step warned of."""
    warnings = step_document(run_dir, step).get("warnings")
    return [text for text in warnings if isinstance(text, str)] if isinstance(warnings, list) else []


def artifacts_of(run_dir: Path) -> list[Artifact]:
    """The snapshot's data and every file of the version directory, with the digest that was recorded for it."""
    ingest, package = read_receipt(run_dir, "ingest"), read_receipt(run_dir, "package")
    data = {"data.parquet": ingest.result.get("digest")} if ingest else {}
    files = _mapping(package.result.get("files")) if package else {}
    return _artifacts(run_dir, "ingest", data) + _artifacts(run_dir, "package", files)


def _artifacts(run_dir: Path, step: str, digests: Mapping[str, Any]) -> list[Artifact]:
    folder = output_folder(run_dir, step)
    if folder is None:
        return []
    return [_artifact(folder / name, str(digest)) for name, digest in sorted(digests.items())]


def _artifact(path: Path, sha256: str) -> Artifact:
    return Artifact(path.name, str(path), sha256, path.stat().st_size if path.is_file() else None)


def search_of(run_dir: Path) -> Mapping[str, Any]:
    """search.json of the training: metric, direction, trials, best; empty where nothing was searched."""
    trained = output_folder(run_dir, "train")
    return read_object(trained / "search.json") if trained else {}


def trials_of(run_dir: Path) -> list[Mapping[str, Any]]:
    """The trials of a run's search, each with number, params, value, seconds and state; those that have that form."""
    trials = search_of(run_dir).get("trials")
    found = trials if isinstance(trials, list) else []
    return [trial for trial in found if isinstance(trial, dict) and isinstance(trial.get("number"), int)]


def read_object(path: Path) -> Mapping[str, Any]:
    """The JSON object in a file; empty where there is none that can be read."""
    try:
        return _mapping(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError) as error:
        _log.debug("%s: %s", path, error)
        return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
