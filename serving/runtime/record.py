# SPDX-License-Identifier: Apache-2.0
"""From an answered request, kept as it came, to its event: what the log's thread does while others are answered."""

from typing import NamedTuple

from kelp.events import Prediction
from kelp.frame.pseudonym import pseudonym
from serving.runtime.answer import Answer
from serving.runtime.endpoint import Endpoint, Fields


class Record(NamedTuple):
    """An answered request; making one is all that the log costs an answer."""

    endpoint: Endpoint
    fields: Fields
    body: bytes
    answer: Answer
    time: float
    seconds: float


def prediction_of(record: Record, identity: str, arm: str) -> Prediction:
    """Read the request again, and keep of it what may be kept: declared columns, private ones as pseudonyms.

    Args:
        record: with an answer of 200, so its body can be read.
        identity: the event's id.
        arm: of this process.
    """
    model = record.endpoint.model
    transform = model.online.scorer.transform
    request = record.endpoint.read(record.fields, record.body)
    inputs, features = request.raw(transform)
    key = model.online.key or b""
    for name in transform.private:
        if name in inputs:
            inputs[name] = [None if value is None else pseudonym(key, value) for value in inputs[name]]
    caller = record.fields.get(b"x-request-id")
    return Prediction(
        id=identity,
        time=record.time,
        model=model.name,
        version=model.version,
        arm=arm,
        seconds=record.seconds,
        scores=record.answer.scores,
        labels=record.answer.labels,
        inputs=inputs,
        features=features,
        request_id=caller.decode("latin-1") if caller is not None else None,
    )
