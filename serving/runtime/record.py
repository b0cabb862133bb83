# SPDX-License-Identifier: Apache-2.0
"""From an answered request, kept as it came, to its event: what the log's thread does while others are answered."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kelp.events import Prediction
from kelp.frame.block import NumberColumns
from kelp.frame.pseudonym import pseudonym
from serving.runtime.answer import Answer, Request
from serving.runtime.ask import Ask
from serving.runtime.model import ServedModel

_BYTES_A_ROW = 64  # of its score and its label


class Record(NamedTuple):
    """An answered request; making one is all that the log costs an answer.

    `read` makes the request again of `source`, where the answer does not hold its rows as arrays. Bytes and arrays
    rather than many objects: those would keep the garbage collector busy while the log waits for its sink. `size` is
    what all that takes, in bytes.
    """

    model: ServedModel
    read: Callable[..., Request]
    source: tuple[Any, ...]
    answer: Answer
    request_id: str
    time: float
    seconds: float
    size: int


def record_of(ask: Ask, model: ServedModel, answer: Answer, seconds: float) -> Record:
    """Keep of an answered request what its event needs."""
    source, size = ask.source, ask.size
    rows = answer.features if answer.numbers is None else answer.numbers.values_by_column
    if rows is not None:
        source, size = (), rows.nbytes
    kept = answer._replace(probabilities=[])
    size += _BYTES_A_ROW * len(kept.scores)
    return Record(model, ask.endpoint.read, source, kept, ask.id, time.time(), seconds, size)


def prediction_of(record: Record, identity: str, arm: str) -> Prediction:
    """Say what may be said of it: declared columns, private ones as pseudonyms, and the windows that were answered.

    Args:
        record: with an answer of 200, so its source can be read.
        identity: the event's id.
        arm: of this process.
    """
    model, answer = record.model, record.answer
    features = answer.features.astype("<f4", copy=False).tobytes() if answer.features is not None else b""
    return Prediction(
        id=identity,
        time=record.time,
        model=model.name,
        version=model.version,
        arm=arm,
        seconds=record.seconds,
        scores=answer.scores,
        labels=answer.labels,
        inputs=_inputs(record) if answer.features is None else {},
        features=features,
        request_id=record.request_id,
    )


def _inputs(record: Record) -> dict[str, list[Any]]:
    online, answer = record.model.online, record.answer
    transform = online.scorer.transform
    if answer.numbers is not None:
        inputs = _number_inputs(answer.numbers, [column.name for column in transform.columns if column.type == "int"])
    else:
        inputs = record.read(*record.source).raw(transform)
    key = online.key or b""
    for name in transform.private:
        if name in inputs:
            inputs[name] = [None if value is None else pseudonym(key, value) for value in inputs[name]]
    for name, values in answer.windows.items():
        inputs[name] = [None if value != value else value for value in values.tolist()]
    return inputs


def _number_inputs(numbers: NumberColumns, whole: list[str]) -> dict[str, list[Any]]:
    values = numbers.values_by_column
    inputs: dict[str, list[Any]] = dict(zip(numbers, values.tolist(), strict=True))
    if np.isnan(values).any():
        inputs = {name: [None if value != value else value for value in column] for name, column in inputs.items()}
    for name in whole:
        inputs[name] = [None if value is None else int(value) for value in inputs[name]]
    return inputs
