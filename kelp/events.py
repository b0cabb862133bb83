# SPDX-License-Identifier: Apache-2.0
"""The event of one answered prediction request: what the model server sends, and what reads it later expects.

It travels as a CloudEvent 1.0 (JSON format, in batches). `source` and `id` together are unique: who stores events
keeps the first of each and ignores what is sent again after a lost answer.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kelp.errors import DataError

PREDICTION = "kelp.prediction.v1"
BATCH_TYPE = "application/cloudevents-batch+json"


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answered request of n rows.

    `time` is in seconds since 1970, `seconds` how long the answer took. `inputs` are the declared raw columns that
    came, by name, n values each, private ones as pseudonyms; `features` instead, if the rows came transformed.
    `labels` is empty for a regression. `request_id` is the caller's x-request-id.
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
    features: dict[str, list[Any]]
    request_id: str | None = None


def cloud_event(prediction: Prediction) -> dict[str, Any]:
    """The event as JSON values."""
    names = ("arm", "seconds", "scores", "labels", "inputs", "features", "request_id")
    return {
        "specversion": "1.0",
        "id": prediction.id,
        "source": f"/kelp/models/{prediction.model}/versions/{prediction.version}",
        "type": PREDICTION,
        "time": datetime.fromtimestamp(prediction.time, UTC).isoformat(),
        "datacontenttype": "application/json",
        "data": {name: getattr(prediction, name) for name in names},
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
        return Prediction(id=event["id"], time=moment, model=model, version=version, **event["data"])
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"expected an event of a prediction: {error!r}", place="event") from error
