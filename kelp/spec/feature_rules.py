# SPDX-License-Identifier: Apache-2.0
"""Rules of rolling features: pure, from a Model to the problems found in `spec.features`."""

from collections import Counter
from collections.abc import Iterator

from kelp.spec.data import Feature
from kelp.spec.model import Model

_OF_NUMBERS = ("sum", "mean", "min", "max")


def feature_problems(model: Model) -> Iterator[str]:
    """Every broken rule of every rolling feature."""
    names = Counter(feature.name for feature in model.spec.features)
    for index, feature in enumerate(model.spec.features):
        path = f"spec.features[{index}]"
        if names[feature.name] > 1 or feature.name in model.spec.data.columns:
            yield f"{path}.name: expected a name of its own, found {feature.name!r} twice"
        yield from _roles(model, feature, path)
        yield from _columns(model, feature, path)
    if model.spec.features and model.spec.data.time is None:
        yield "spec.data.time: expected the column of time, found nothing; rolling features need one"


def _roles(model: Model, feature: Feature, path: str) -> Iterator[str]:
    data = model.spec.data
    if feature.over == data.target:
        yield f"{path}.over: expected a column that is known when a request is sent, found the target {feature.over!r}"
    if feature.by in (data.target, data.time):
        yield f"{path}.by: expected a column of entities, found {feature.by!r}"
    if feature.over == data.time and feature.take in _OF_NUMBERS:
        yield f"{path}.over: expected a column of numbers, found the time {feature.over!r}"


def _columns(model: Model, feature: Feature, path: str) -> Iterator[str]:
    columns = model.spec.data.columns
    for role, name in (("over", feature.over), ("by", feature.by)):
        column = columns.get(name)
        if column is None and model.spec.data.columns_closed:
            yield f"{path}.{role}: expected one of the declared columns (columnsClosed), found {name!r}"
        if column is not None and column.privacy == "drop":
            yield f"{path}.{role}: expected a column that is kept, found `privacy: drop` on {name}"
    over = columns.get(feature.over)
    if over is not None and feature.take in _OF_NUMBERS and over.type not in ("int", "float", "bool"):
        yield f"{path}.take: expected count, distinct or since of a {over.type}, found {feature.take}"
    if over is not None and over.privacy == "pseudonymise" and feature.take in _OF_NUMBERS:
        yield f"{path}.take: expected count, distinct or since of a pseudonym, found {feature.take}"
