# SPDX-License-Identifier: Apache-2.0
"""From a request's body to the events in it, or to the error that names the first that is none. Pure."""

from typing import Any

import orjson

from kelp.errors import DataError
from kelp.events import BATCH_TYPE, Prediction, read_cloud_event

EVENT_TYPE = "application/cloudevents+json"
TYPES = (BATCH_TYPE, EVENT_TYPE)

_SCALARS = {str, int, float, bool, type(None)}
_NUMBERS = {int, float}
_YEAR_10000 = 253_402_300_800  # in seconds since 1970


def predictions(media_type: str, body: bytes) -> list[Prediction]:
    """Read a batch of events, or one event, in the JSON format of CloudEvents.

    Args:
        media_type: one of `TYPES`.
        body: of the request.

    Raises:
        DataError: it is no JSON or no list, or an entry is no event of a prediction; the place names the first one.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise DataError(f"expected JSON ({error})", place="body") from error
    if media_type == EVENT_TYPE:
        return [_prediction(content, "event")]
    if not isinstance(content, list):
        raise DataError(f"expected a list of events, found {type(content).__name__}", place="body")
    return [_prediction(event, f"events[{position}]") for position, event in enumerate(content)]


def _prediction(event: Any, place: str) -> Prediction:
    try:
        found = read_cloud_event(event)
    except DataError as error:
        raise DataError(error.message, place=place) from error
    problem = _problem_of_names(found) or _problem_of_rows(found)
    if problem:
        raise DataError(f"expected an event of a prediction: {problem}", place=place)
    return found


def _problem_of_names(found: Prediction) -> str:
    for name in ("id", "model", "version", "arm", "request_id"):
        value = getattr(found, name)
        if type(value) is not str or not value:
            return f"{name} must be a text that is not empty"
    if type(found.seconds) not in _NUMBERS:
        return "seconds must be a number"
    return "" if 0 <= found.time < _YEAR_10000 else "time must be within the years 1970 to 9999"


def _problem_of_rows(found: Prediction) -> str:
    """What is wrong with the values, one or more a row; every list is as long as there are scores."""
    scores, labels, inputs = found.scores, found.labels, found.inputs
    if type(scores) is not list or not scores or not set(map(type, scores)) <= _NUMBERS:
        return "scores must be one or more numbers"
    rows = len(scores)
    if type(labels) is not list or len(labels) not in (0, rows) or not set(map(type, labels)) <= {str}:
        return f"labels must be {rows} texts, or none"
    if type(inputs) is not dict:
        return "inputs must be an object"
    for name, values in inputs.items():
        if type(values) is not list or len(values) != rows or not set(map(type, values)) <= _SCALARS:
            return f"inputs.{name[:80]} must be a list of {rows} values"
    return "" if len(found.features) % (4 * rows) == 0 else f"features must be {rows} rows of float32"
