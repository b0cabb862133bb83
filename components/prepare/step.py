# SPDX-License-Identifier: Apache-2.0
"""The step: its order of work, and what it says about it in `prepare.json`."""

import hashlib
import json
import logging
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.prepare.columns import feature_columns, naive_lag, raw_columns, windows_of
from components.prepare.engine import Engine, open_engine
from components.prepare.events import busy_entities, write_history
from components.prepare.fit import Features, Training, fit_features
from components.prepare.frequencies import most_frequent, training_rows
from components.prepare.labels import Target, class_counts, read_target, refuse_unlearnable
from components.prepare.numbers import Fit, fit_numbers
from components.prepare.outputs import Plan, Progress, chunks, write_rows
from components.prepare.series import NaiveErrors, Scales, describe_series, series_of
from components.prepare.snapshot import Source, open_source
from components.prepare.split import GAP, TEST, TRAINING, VALIDATION, Parts, columns_with_drop, split_rows
from components.prepare.windows import NUMBERS, Rows, write_windows
from kelp.errors import DataError
from kelp.frame.history_table import HISTORY_FILE
from kelp.frame.parts import Feature, Window
from kelp.frame.transform import Transform
from kelp.home import Home
from kelp.parquet import file_digest
from kelp.spec import Model

RESERVED = "__"  # of names that prepare itself gives to columns, such as __target
_DIGESTED = ("train.parquet", "test.parquet", "transform.json", HISTORY_FILE)
_log = logging.getLogger(__name__)


def _silent(done: int, total: int | None) -> None:
    """Report no progress."""


@dataclass(frozen=True, slots=True)
class _Work:
    """What all stages share."""

    model: Model
    source: Source
    parts: Parts
    target: Target
    engine: Engine
    rows: Rows
    scratch: Path


def prepare(
    model: Model, home: Home, snapshot: Path, prepared: Path, *, progress: Progress = _silent
) -> dict[str, Any]:
    """Write `prepared/{train,test,test_rows,reference,history}.parquet`, `transform.json` and `prepare.json`.

    Args:
        model: says what is private, how to split, what to fill in and which windows there are.
        home: has the key of pseudonyms.
        snapshot: what ingest wrote.
        prepared: an existing, empty folder.
        progress: called with rows done and rows in all.

    Returns:
        The content of prepare.json: digest, split, rows, validation, features, dropped columns, classes, warnings and,
        of a forecast, its series.

    Raises:
        DataError: too few rows, not the classes that the task needs, or nothing to learn from.
        InputError: a rule of a column that the step cannot follow.
        EnvironmentFault: no Spark where one is asked for, or memory or disk ran out.
    """
    progress(0, None)
    source = open_source(model, home, snapshot)
    parts = split_rows(model, source)
    target = read_target(model, source, parts)
    counts = class_counts(source, target, parts)
    warnings = refuse_unlearnable(model, counts, parts.boundary)
    with (
        tempfile.TemporaryDirectory(prefix=".prepare-", dir=prepared.parent) as folder,
        open_engine(model.spec.data.engine, Path(folder)) as engine,
    ):
        work = _Work(model, source, parts, target, engine, _rows(model, source, engine), Path(folder))
        plan, said, series = _fit(work, prepared)
        write_rows(plan, prepared, progress)
    for warning in (warnings := warnings + said):
        _log.warning("%s", warning)
    (prepared / "transform.json").write_text(plan.transform.to_json(), encoding="utf-8")
    summary = _summary(plan, counts.sum(axis=1).tolist(), warnings, prepared) | series
    text = json.dumps(summary, indent=1, sort_keys=True, ensure_ascii=False)
    (prepared / "prepare.json").write_text(text, encoding="utf-8")
    return summary


def _rows(model: Model, source: Source, engine: Engine) -> Rows:
    return Rows(
        table=engine.table(source.path, "snapshot"),
        cells={name: f"c{at}" for at, name in enumerate(source.names)},
        types=source.types,
        time=str(model.spec.data.time),
        needed=columns_with_drop(model),
    )


def _fit(work: _Work, prepared: Path) -> tuple[Plan, list[str], dict[str, Any]]:
    """Compute windows, fit the transform, and write the history; return a plan, warnings and facts about series."""
    model, source = work.model, work.source
    series, warnings = describe_series(model, work.engine, work.rows) if model.spec.data.series else ({}, [])
    names, windows = feature_columns(model, source), windows_of(model, source)
    numbers = _fit_columns(work, names, windows)
    windows = tuple(window.model_copy(update={"unit": _unit(window, numbers)}) for window in windows)
    _refuse_taken_names([window.name for window in windows], source.types, model.spec.data.source)
    path = work.scratch / "windows.parquet" if windows else None
    if path is not None:
        write_windows(work.engine, work.rows, windows, path)
        numbers |= _fit_windows(work, windows, path)
        write_history(work.engine, work.rows, windows, source, prepared / HISTORY_FILE, work.scratch)
        warnings += busy_entities(work.engine, work.rows, windows)
    features = _features(work, names, windows, numbers)
    transform = _transform(work, features, windows)
    plan = Plan(model, source, work.parts, work.target, transform, path, {})
    if model.spec.data.series is not None:
        plan = Plan(model, source, work.parts, work.target, transform, path, _scales(plan))
    return plan, warnings + features.warnings, {"series": series} if series else {}


def _fit_columns(work: _Work, names: Sequence[str], windows: Sequence[Window]) -> dict[str, Fit]:
    types, declared = work.source.types, work.model.spec.data.columns
    measured = [window.over for window in windows if types[window.over] in NUMBERS]
    wanted = [name for name in dict.fromkeys([*names, *measured]) if types[name] in (*NUMBERS, "timestamp")]
    modes = [name for name in wanted if types[name] == "bool"]
    contracts = {name: declared.get(name) for name in wanted}
    return fit_numbers(work.source.batches, contracts, work.parts.is_training, modes)


def _unit(window: Window, numbers: Mapping[str, Fit]) -> float:
    return numbers[window.over].unit if window.over in numbers else 1.0


def _fit_windows(work: _Work, windows: Sequence[Window], path: Path) -> dict[str, Fit]:
    import pyarrow.parquet as pq

    filled = {window.name: None for window in windows if window.take in ("mean", "min", "max")}
    with pq.ParquetFile(path) as file:
        return fit_numbers(lambda columns: file.iter_batches(columns=columns), filled, work.parts.is_training)


def _features(work: _Work, names: Sequence[str], windows: Sequence[Window], numbers: Mapping[str, Fit]) -> Features:
    training = training_rows(work.engine, work.rows, work.parts, work.target.column, work.scratch)

    def categories(name: str, most: int) -> list[str]:
        import pyarrow as pa

        found = most_frequent(work.engine, training, work.rows.cells[name], most)
        as_text = work.source.texts.get(name)
        return list(as_text(pa.array(found)).to_pylist()) if as_text and found else found

    known = Training(work.source, work.parts.is_training, numbers, categories)
    return fit_features(work.model, names, windows, known)


def _transform(work: _Work, features: Features, windows: tuple[Window, ...]) -> Transform:
    model, place = work.model, work.model.spec.data.source
    if not features.found:
        raise DataError(
            "expected at least one column to learn from, found none",
            place=place,
            fix="declare a column with feature: true, or add columns to the data",
        )
    _refuse_taken_names([feature.name for feature in features.found], (), place)
    used = tuple(dict.fromkeys(_column_of(feature, windows) for feature in features.found))
    return Transform(
        task=model.spec.task,
        classes=work.target.classes,
        columns=tuple(raw_columns(model, work.source, used, windows)),
        features=tuple(features.found),
        time=model.spec.data.time if windows else None,
        windows=windows,
        tokenizer=features.tokenizer,
    )


def _column_of(feature: Feature, windows: Sequence[Window]) -> str:
    return next((window.over for window in windows if window.name == feature.column), feature.column)


def _refuse_taken_names(names: Sequence[str], taken: Sequence[str] | Mapping[str, str], place: str) -> None:
    counts = Counter(names)
    wrong = next((n for n, count in counts.items() if count > 1 or n.startswith(RESERVED) or n in taken), None)
    if wrong is not None:
        raise DataError(
            f"expected a feature's name to be its own and not to begin with {RESERVED}, found {wrong!r}",
            place=place,
            fix="rename the column in the data",
        )


def _scales(plan: Plan) -> Scales:
    """How wrong the seasonal naive forecast of each series is in the training part."""
    data = plan.model.spec.data
    keys = data.series.key if data.series else ()
    naive = f"{plan.target.column}.lag_{naive_lag(plan.model)}"
    window = next(window for window in plan.transform.windows if window.name == naive)
    errors = NaiveErrors(window.unit)
    for chunk in chunks(plan, [plan.target.column, *keys]):
        part = chunk.where(chunk.codes <= VALIDATION)
        target = plan.target.numbers(part.batch.column(plan.target.column))
        errors.add(series_of(part.batch, keys), target, part.windows[naive])
    return errors.scales()


def _summary(plan: Plan, counts: Sequence[int], warnings: Sequence[str], prepared: Path) -> dict[str, Any]:
    data, sent = plan.model.spec.data, {column.name for column in plan.transform.columns}
    digests = [file_digest(prepared / name) for name in _DIGESTED if (prepared / name).exists()]
    return {
        "digest": hashlib.sha256("".join(digests).encode()).hexdigest(),
        "split": {
            "by": data.split_by,
            "boundary": plan.parts.boundary,
            "gapSeconds": data.split.gap.total_seconds(),
        },
        "rows": {"train": counts[TRAINING] + counts[VALIDATION], "test": counts[TEST], "gap": counts[GAP]},
        "validation": counts[VALIDATION],
        "features": [feature.name for feature in plan.transform.features],
        "dropped": sorted(name for name in plan.source.types if name not in sent),
        "classes": list(plan.target.classes),
        "warnings": list(warnings),
    }
