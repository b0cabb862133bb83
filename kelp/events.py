# SPDX-License-Identifier: Apache-2.0
"""The event of one answered prediction request: what the model server sends, and what reads it later expects.

It travels as a CloudEvent 1.0 (JSON format, in batches). `source` and `id` together are unique: who stores events
keeps the first of each and ignores what is sent again after a lost answer.
"""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kelp.errors import DataError

PREDICTION = "kelp.prediction.v1"
BATCH_TYPE = "application/cloudevents-batch+json"


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answered request of n rows.

    Attributes:
        id: of the event.
        time: when it was answered, in seconds since 1970.
        arm: of the process, in a rollout.
        seconds: how long the answer took.
        scores: one a row; of several classes the greatest probability.
        labels: one a row; empty for a regression.
        inputs: by name, n values each: the declared raw columns that came, private ones as pseudonyms, and the windows
            that they were answered with. Sent as a request they give the same answer, but for the pseudonyms.
        features: instead of `inputs`, for rows that came transformed: little-endian float32, one row after the other.
        request_id: the caller's x-request-id, or the one that the server gave; the answer's header says it.
    """

    id: str
    time: float
    model: str
    version: str
    arm: str
    seconds: float
    scores: list[float]
    labels: list[str]
    inputs: dict[str, list[Any]]
    features: bytes
    request_id: str


def cloud_event(prediction: Prediction) -> dict[str, Any]:
    """The event as JSON values; features are base64."""
    names = ("arm", "seconds", "scores", "labels", "inputs", "request_id")
    data = {name: getattr(prediction, name) for name in names}
    return {
        "specversion": "1.0",
        "id": prediction.id,
        "source": f"/kelp/models/{prediction.model}/versions/{prediction.version}",
        "type": PREDICTION,
        "time": datetime.fromtimestamp(prediction.time, UTC).isoformat(),
        "datacontenttype": "application/json",
        "data": {**data, "features": b64encode(prediction.features).decode()},
    }


def read_cloud_event(event: Any) -> Prediction:
    """Read what `cloud_event` writes.

    Raises:
        DataError: it is something else.
    """
    try:
        if event["specversion"] != "1.0" or event["type"] != PREDICTION:
            raise ValueError(f"expected the type {PREDICTION} of CloudEvents 1.0, found {event['type']}")
        _, _, _, model, _, version = event["source"].split("/")
        moment = datetime.fromisoformat(event["time"]).timestamp()
        data = {**event["data"], "features": b64decode(event["data"]["features"], validate=True)}
        return Prediction(id=event["id"], time=moment, model=model, version=version, **data)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"expected an event of a prediction: {error!r}", place="event") from error
