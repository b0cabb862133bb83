# SPDX-License-Identifier: Apache-2.0
"""Fit the features on the training part: which there are, their fills, limits, categories and words."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from components.prepare.numbers import Fit
from components.prepare.snapshot import Source
from components.prepare.words import MOST_WORDS, MOST_WORDS_OF_TEXT_TASK, token_features, word_features
from kelp.frame.parts import TIME_PARTS, Feature, FeatureKind, Tokenizer, Window
from kelp.spec import Column as Contract
from kelp.spec import Model

MAX_CATEGORIES = 255
Categories = Callable[[str, int], list[str]]
"""From a column and a number to at most so many of its categories, by falling frequency."""


@dataclass(slots=True)
class Features:
    """The features so far, in the order of the matrix, and what there is to say about the data."""

    found: list[Feature] = field(default_factory=list)
    tokenizer: Tokenizer | None = None
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Training:
    """The training part, as far as features need it.

    Attributes:
        source: the rows.
        is_training: which of them; shape (rows,).
        numbers: fits of all columns of numbers and times, and of windows.
        categories: asks the engine.
    """

    source: Source
    is_training: NDArray[np.bool_]
    numbers: Mapping[str, Fit]
    categories: Categories


def fit_features(model: Model, columns: Iterable[str], windows: Iterable[Window], training: Training) -> Features:
    """Features of columns, then of windows; a column without any value is left out, with a warning."""
    features = Features()
    for name in columns:
        kind = training.source.types[name]
        if kind == "text":
            found = _of_text(model, name, training, features)
        elif kind in ("string", "category"):
            found = _of_category(model, name, training, features.warnings)
        elif kind == "timestamp":
            found = _of_time(model, name, training.numbers[name], features.warnings)
        else:
            found = _of_number(name, training.numbers[name], features.warnings)
        if not found:
            features.warnings.append(f"column {name}: the training part has no value to learn from, it is left out")
        features.found += found
    features.found += [_of_window(window, training.numbers) for window in windows]
    return features


def _of_number(name: str, fit: Fit, warnings: list[str]) -> list[Feature]:
    if not fit.present:
        return []
    if fit.least == fit.greatest:
        warnings.append(f"column {name}: every value of the training part is {fit.least:g}")
    return [Feature(name=name, column=name, kind="number", fill=fit.fill, low=fit.low, high=fit.high)]


def _of_time(model: Model, name: str, fit: Fit, warnings: list[str]) -> list[Feature]:
    if not fit.present:
        return []
    if fit.least == fit.greatest:
        warnings.append(f"column {name}: every value of the training part is the same time")
    return [Feature(name=f"{name}.{part}", column=name, kind=part, fill=-1.0) for part in _parts(model, name)]


def _parts(model: Model, name: str) -> Iterator[FeatureKind]:
    series = model.spec.data.series
    is_of_days = series is not None and name == model.spec.data.time and series.frequency.total_seconds() >= 86_400
    return (part for part in TIME_PARTS if not (is_of_days and part == "hour"))


def _of_category(model: Model, name: str, training: Training, warnings: list[str]) -> list[Feature]:
    """Categories by falling frequency, then by name; those beyond the cap are `other`, code 0.

    The word of `missing: constant` is a category too, even if no row of the training part has it.
    """
    contract = model.spec.data.columns.get(name)
    most = contract.max_categories if contract else MAX_CATEGORIES
    found = training.categories(name, most + 1)
    if not found:
        return []
    if len(found) > most:
        warnings.append(f"column {name}: it has more than {most} categories, the rest by frequency is `other`")
    if len(found) == 1:
        warnings.append(f"column {name}: every value of the training part is {_shown(name, found[0], training.source)}")
    return [_category(name, found[:most], most, contract)]


def _shown(name: str, value: str, source: Source) -> str:
    return "the same" if name in source.private else repr(value[:40])


def _category(name: str, ordered: list[str], most: int, contract: Contract | None) -> Feature:
    rule = (contract.missing if contract else None) or "other"
    fill = 1.0 if rule == "mode" else 0.0
    if rule == "constant" and contract is not None:
        word = str(contract.fill)
        ordered = ordered if word in ordered else [*ordered[: most - 1], word]
        fill = float(ordered.index(word) + 1)
    return Feature(name=name, column=name, kind="category", fill=fill, categories=tuple(ordered))


def _of_text(model: Model, name: str, training: Training, features: Features) -> list[Feature]:
    """Tokens of the first text of a task of texts, for trainers that embed them; else counts of words."""
    is_text_task, trainer = model.spec.task == "text", model.spec.train.trainer
    if is_text_task and trainer != "xgboost" and features.tokenizer is None:
        features.tokenizer, found = token_features(training.source, name, training.is_training)
        return found
    most = MOST_WORDS_OF_TEXT_TASK if is_text_task else MOST_WORDS
    return word_features(training.source, name, training.is_training, most)


def _of_window(window: Window, numbers: Mapping[str, Fit]) -> Feature:
    """What was never seen was longest ago; a mean, a minimum or a maximum of nothing is the median of the others."""
    fill = 0.0
    if window.take == "since":
        fill = window.start_us / 1e6
    elif window.take in ("mean", "min", "max"):
        fill = numbers[window.name].fill
    return Feature(name=window.name, column=window.name, kind="number", fill=fill)
