# SPDX-License-Identifier: Apache-2.0
"""Receipts: proof that a step already did exactly this work in this run, and where its outputs lie.

kfp.local gives every attempt new folders; a receipt carries finished outputs from one attempt to the next. It is
believed only while its key and the digests of all its outputs still hold.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from kelp.parquet import folder_digests
from kelp.runs.files import clone, write_whole

_log = logging.getLogger(__name__)


class Output(BaseModel):
    """One finished output folder; `path` is relative to the run's folder, or absolute if it lies elsewhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    digest: str


class Receipt(BaseModel):
    """What one finished step left behind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    outputs: dict[str, Output]
    result: dict[str, Any]


def digest_of(values: Mapping[str, Any]) -> str:
    """sha256 (hex) of JSON values, independent of the order of keys."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def folder_digest(folder: Path) -> str:
    """sha256 (hex) over the names and contents of all files below `folder`."""
    return digest_of(folder_digests(folder))


def write_receipt(run_dir: Path, step: str, receipt: Receipt) -> None:
    """Keep the receipt of a step that is done, in place of its earlier one; one lost to a power cut costs a rerun."""
    (run_dir / "receipts").mkdir(exist_ok=True)
    write_whole(_path(run_dir, step), receipt.model_dump_json(indent=1), durable=False)


def read_receipt(run_dir: Path, step: str) -> Receipt | None:
    """The receipt of a step; None where there is none that can be read."""
    path = _path(run_dir, step)
    try:
        return Receipt.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        _log.warning("%s cannot be read: the step %s runs again", path, step)
        return None


def describe_output(run_dir: Path, path: Path, digest: str) -> Output:
    """The receipt's entry for one finished output folder."""
    inside = path.is_relative_to(run_dir)
    return Output(path=str(path.relative_to(run_dir) if inside else path), digest=digest)


def reuse(run_dir: Path, step: str, key: str, targets: Mapping[str, Path]) -> Receipt | None:
    """Put a step's earlier outputs where they are wanted now.

    Returns:
        The receipt, or None if the step has to run: no receipt, another key, or outputs that changed since.
    """
    receipt = read_receipt(run_dir, step)
    if receipt is None or receipt.key != key or receipt.outputs.keys() != targets.keys():
        return None
    for output in receipt.outputs.values():
        source = run_dir / output.path
        if not source.is_dir() or folder_digest(source) != output.digest:
            _log.warning("%s is not what the step %s left there: it runs again", source, step)
            return None
    for name, target in targets.items():
        clone(run_dir / receipt.outputs[name].path, target)
    return receipt


def _path(run_dir: Path, step: str) -> Path:
    return run_dir / "receipts" / f"{step}.json"
