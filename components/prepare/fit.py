# SPDX-License-Identifier: Apache-2.0
"""Fit a Transform on the training part: which columns are features, their fills and their categories."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from kelp.errors import DataError
from kelp.frame.arrow import columns_from_table
from kelp.frame.transform import Column, Feature, FeatureKind, RawColumn, Transform
from kelp.spec import Column as Contract
from kelp.spec import Model

MAX_CATEGORIES = 255
RESERVED = "__"  # of names that prepare itself gives to columns, such as __target
_TIME_PARTS: tuple[FeatureKind, ...] = ("hour", "weekday", "month")


def fit_transform(model: Model, types: Mapping[str, str], classes: tuple[str, ...], training: Any) -> Transform:
    """Decide features and fit their fills.

    Args:
        model: declared columns win over what is inferred.
        types: the type of each column, in the source's order.
        classes: as in `Transform.classes`.
        training: pyarrow.Table, the training part only.

    Raises:
        DataError: no column is left to learn from.
    """
    raw = tuple(_raw_columns(model, types))
    if not raw:
        raise DataError(
            "expected at least one column to learn from, found none",
            place=model.spec.data.source,
            fix="declare a column with feature: true, or add columns to the data",
        )
    drafted = tuple(Feature(name=c.name, column=c.name, kind=_kinds(c)[0], fill=0.0) for c in raw)
    draft = Transform.model_validate({"task": model.spec.task, "classes": classes, "columns": raw, "features": drafted})
    values = columns_from_table(draft, training)
    features = tuple(feature for column in raw for feature in _features(model, column, values[column.name]))
    _refuse_taken_names(features, model.spec.data.source)
    return draft.model_copy(update={"features": features})


def _raw_columns(model: Model, types: Mapping[str, str]) -> Iterator[RawColumn]:
    data = model.spec.data
    legacy = model.spec.legacy.column if model.spec.legacy else None
    roles = {data.target, data.id, data.time, data.entity, legacy}
    for name, kind in types.items():
        contract = data.columns.get(name)
        is_feature = contract.feature if contract else None
        if is_feature is None:
            is_private = contract is not None and contract.privacy != "none"
            is_feature = name not in roles and kind != "string" and not is_private
        if is_feature and name != data.target:
            bounds = (contract.min, contract.max) if contract and kind in ("int", "float") else (None, None)
            nullable = contract is None or contract.missing != "drop"
            yield RawColumn.model_validate(
                {"name": name, "type": kind, "nullable": nullable, "min": bounds[0], "max": bounds[1]}
            )


def _refuse_taken_names(features: tuple[Feature, ...], place: str) -> None:
    counts = Counter(feature.name for feature in features)
    taken = next((name for name, count in counts.items() if count > 1 or name.startswith(RESERVED)), None)
    if taken is not None:
        raise DataError(
            f"expected a feature's name to be its own and not to begin with {RESERVED}, found {taken!r}",
            place=place,
            fix="rename the column in the data",
        )


def _kinds(column: RawColumn) -> tuple[FeatureKind, ...]:
    if column.type == "timestamp":
        return _TIME_PARTS
    return ("category",) if column.type in ("category", "string") else ("number",)


def _features(model: Model, column: RawColumn, values: Column) -> Iterator[Feature]:
    contract = model.spec.data.columns.get(column.name)
    for kind in _kinds(column):
        if kind == "category":
            yield _category(column.name, values, contract)
        elif kind == "number":
            yield Feature(name=column.name, column=column.name, kind=kind, fill=_number_fill(column, values, contract))
        else:
            yield Feature(name=f"{column.name}.{kind}", column=column.name, kind=kind, fill=-1.0)


def _number_fill(column: RawColumn, values: Column, contract: Contract | None) -> float:
    """The number a missing value becomes: the declared rule, else the mode of a bool and the median of a number."""
    present = values[~np.isnan(values)]
    rule = (contract.missing if contract else None) or ("mode" if column.type == "bool" else "median")
    if rule == "constant" and contract is not None and contract.fill is not None:
        return float(contract.fill)
    if len(present) == 0:
        return 0.0
    if rule == "mean":
        return math.fsum(present) / len(present)
    if rule == "mode":
        found, counts = np.unique(present, return_counts=True)
        return float(found[np.argmax(counts)])
    return float(np.median(present))


def _category(name: str, values: Column, contract: Contract | None) -> Feature:
    """Categories by falling frequency, then by name; those beyond the cap are `other`, code 0.

    The word of `missing: constant` is a category too, even if no row of the training part has it.
    """
    rule = (contract.missing if contract else None) or "other"
    counts = Counter(value for value in values if value is not None)
    ordered = sorted(counts, key=lambda text: (-counts[text], text))[:MAX_CATEGORIES]
    fill = 0.0
    if rule == "mode" and ordered:
        fill = 1.0
    if rule == "constant" and contract is not None:
        word = str(contract.fill)
        ordered = ordered if word in ordered else [*ordered[: MAX_CATEGORIES - 1], word]
        fill = float(ordered.index(word) + 1)
    return Feature(name=name, column=name, kind="category", fill=fill, categories=tuple(ordered))
