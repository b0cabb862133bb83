# SPDX-License-Identifier: Apache-2.0
"""The step: choose the trainer, search if asked, fit, export, check, and write it all down."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from components.train.check import write_model
from components.train.facts import checked_facts, checked_files
from components.train.inputs import on_all_rows, read_training
from components.train.journal import Journal
from components.train.own import Source, importable, source_of, trainer_digest
from components.train.search import search
from kelp.parquet import file_digest
from kelp.runs.code import code_digest
from kelp.spec import Model
from kelp.trainer import Trainer, Training

Progress = Callable[[int, int], None]

CHECKED_ROWS = 1_000
_log = logging.getLogger(__name__)


def _ignore(done: int, total: int) -> None:
    """Tell nobody."""


def train(  # noqa: PLR0913 (three of them are the surroundings)
    model: Model,
    prepared: Path,
    seed: int,
    trained: Path,
    *,
    journal: Path | None = None,
    search_path: Path | None = None,
    progress: Progress = _ignore,
) -> dict[str, Any]:
    """Write `trained/{model.onnx,train.json}`, the trainer's own files, and search.json if there was a search.

    Args:
        model: `spec.train` says which trainer, its params, and how.
        prepared: what prepare wrote.
        seed: of everything random in the fit.
        trained: an existing, empty folder.
        journal: where a search writes its trials, and reads them when it is resumed; None: nowhere.
        search_path: the workspace, in which an own trainer's module is looked for last.
        progress: called with the rounds (or epochs) done and in all; while a search runs, with its trials.

    Returns:
        The content of train.json: trainer, params, seed, rounds or epochs, device, rows, importance, validation,
        warnings, files, and the digests of the model, of what it was made from, and of an own trainer's source.

    Raises:
        InputError: the trainer, or one of its params, cannot be used; the place is the field of the spec.
        DataError: the rows are not enough for what is asked.
        EnvironmentFault: there is no GPU where one is asked for.
        IntegrityError: the exported model does not answer as the fitted one.
    """
    digest = trainer_digest(model.spec.train.trainer, search_path)
    with importable(search_path):
        source = source_of(model.spec.train.trainer)
        training = read_training(model, prepared, seed)
        identity = _identity(model, prepared, training, digest)
        outcome = None
        if model.spec.train.search is not None:
            opened = Journal.open(journal, _digest([*identity, code_digest()]))
            outcome = search(model.spec.train.search, source, training, opened, progress)
            params = outcome.params(training, getattr(source.make, "aliases", {}))
            training = replace(on_all_rows(training, model), params=params)
        trainer, facts = _fitted(source, replace(training, progress=progress))
        files = _write(source, trainer, training, trained)
    result = {
        "params": dict(training.params),
        "warnings": [],
        **({} if outcome is None else {"validation": outcome.best.value}),
        **facts,
        "trainer": model.spec.train.trainer,
        "seed": seed,
        "device": training.device,
        "rows": training.rows.count(),
        "files": files,
        "digest": file_digest(trained / "model.onnx"),
        "inputDigest": _digest([*identity, facts.get("params", dict(training.params))]),
        **({"trainerDigest": digest} if digest else {}),
    }
    _write_json(trained / "train.json", result)
    if outcome is not None:
        _write_json(trained / "search.json", outcome.document())
    return result


def _identity(model: Model, prepared: Path, training: Training, digest: str) -> list[Any]:
    """What decides a fit, as JSON values."""
    summary = json.loads((prepared / "prepare.json").read_text(encoding="utf-8"))
    asked = model.spec.train.model_dump(mode="json", by_alias=True)
    return [summary["digest"], asked, dict(training.monotone or {}), training.seed, digest]


def _fitted(source: Source, training: Training) -> tuple[Trainer, dict[str, Any]]:
    trainer = source.trainer()
    with source.blamed("fit"):
        facts = checked_facts(trainer.fit(training))
    for warning in facts.get("warnings", []):
        _log.warning("%s", warning)
    return trainer, facts


def _write(source: Source, trainer: Trainer, training: Training, trained: Path) -> list[str]:
    """Write the model and the trainer's own files; return the names of the latter."""
    with source.blamed("to_onnx"):
        content = trainer.to_onnx()
    matrix, _ = next(training.rows.batches(CHECKED_ROWS))
    write_model(content, training.transform, matrix, trained / "model.onnx")
    make_files = getattr(trainer, "files", dict)
    with source.blamed("files"):
        files = checked_files(make_files())
    for name, file in files.items():
        (trained / name).write_bytes(file)
    return list(files)


def _digest(values: list[Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    text = json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
