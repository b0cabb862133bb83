# SPDX-License-Identifier: Apache-2.0
"""Events as a model server sends them."""

from typing import Any

import orjson

from kelp.events import Prediction, cloud_event


def a_prediction(number: int = 1, **changes: Any) -> Prediction:
    """One answered row of a model, the `number`th second of some day; `changes` are fields."""
    fields: dict[str, Any] = {
        "id": f"log-{number}",
        "time": 1_700_000_000.25 + number,
        "model": "fraud",
        "version": "3",
        "arm": "champion",
        "seconds": 0.001,
        "scores": [0.25],
        "labels": ["false"],
        "inputs": {"amount": [12.5], "customer": ["d41d8cd98f00b204e9800998ecf8427e"]},
        "features": b"",
        "request_id": f"request-{number}",
    }
    return Prediction(**{**fields, **changes})


def a_batch(*predictions: Prediction) -> bytes:
    """The body of a batch."""
    return orjson.dumps([cloud_event(prediction) for prediction in predictions])
