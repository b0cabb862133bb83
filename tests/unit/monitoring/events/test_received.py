# SPDX-License-Identifier: Apache-2.0
"""What is an event, and how the first one that is none is named."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from kelp.errors import DataError
from kelp.events import BATCH_TYPE, cloud_event
from monitoring.events.received import EVENT_TYPE, predictions
from tests.unit.monitoring.events.made import a_batch, a_prediction

Change = Callable[[dict[str, Any]], Any]


def test_a_batch_and_a_single_event_are_read() -> None:
    events = [
        a_prediction(1),
        a_prediction(2, scores=[1, 0.5], labels=[], inputs={"a": [None, True]}, seconds=1),
        a_prediction(3, inputs={}, features=b"\x00\x00\x80?\x00\x00\xc0\x7f"),
    ]
    assert predictions(BATCH_TYPE, a_batch(*events)) == events
    assert predictions(EVENT_TYPE, orjson.dumps(cloud_event(events[0]))) == events[:1]
    assert predictions(BATCH_TYPE, b"[]") == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param(b"", "body: expected JSON", id="nothing"),
        pytest.param(b"[", "body: expected JSON", id="cut off"),
        pytest.param(b'["\xff"]', "body: expected JSON", id="no UTF-8"),
        pytest.param(b'["\\ud800"]', "body: expected JSON", id="half a character"),
        pytest.param(b"[" * 5_000 + b"]" * 5_000, "body: expected JSON", id="deep"),
        pytest.param(b"{}", "body: expected a list of events, found dict", id="no list"),
        pytest.param(b"[7]", r"events\[0\]: expected an event of a prediction", id="a number"),
        pytest.param(b"[[]]", r"events\[0\]: expected an event of a prediction", id="a list"),
    ],
)
def test_a_body_that_is_no_batch_is_refused(body: bytes, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        predictions(BATCH_TYPE, body)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param(lambda event: event.pop("id"), "'id'", id="no id"),
        pytest.param(lambda event: event.update(id=""), "id must be", id="empty id"),
        pytest.param(lambda event: event.update(id=7), "id must be", id="a number as id"),
        pytest.param(lambda event: event.update(type="other"), "other", id="another type"),
        pytest.param(lambda event: event.update(source="/kelp/models//versions/3"), "model must be", id="no model"),
        pytest.param(lambda event: event.update(source="fraud"), "not enough values", id="another source"),
        pytest.param(lambda event: event.update(time="now"), "isoformat", id="no time"),
        pytest.param(lambda event: event.update(time="0001-01-01T00:00:00+14:00"), "time must be", id="the year 0"),
        pytest.param(lambda event: event.update(time="9999-12-31T23:59:59-14:00"), "time must be", id="the year 10000"),
        pytest.param(lambda event: event.update(data=[]), "expected an event", id="no data"),
        pytest.param(lambda event: event["data"].pop("arm"), "'arm'", id="no arm"),
        pytest.param(lambda event: event["data"].update(arm=None), "arm must be", id="null as arm"),
        pytest.param(lambda event: event["data"].update(request_id={}), "request_id must be", id="no request id"),
        pytest.param(lambda event: event["data"].update(seconds="1"), "seconds must be", id="a text as seconds"),
        pytest.param(lambda event: event["data"].update(seconds=True), "seconds must be", id="true as seconds"),
        pytest.param(lambda event: event["data"].update(more=1), "'more'", id="a field too many"),
        pytest.param(lambda event: event["data"].update(scores=[]), "scores must be", id="no scores"),
        pytest.param(lambda event: event["data"].update(scores=0.5), "scores must be", id="one score"),
        pytest.param(lambda event: event["data"].update(scores=["1"]), "scores must be", id="a text as score"),
        pytest.param(lambda event: event["data"].update(labels=["a", "b"]), "labels must be", id="too many labels"),
        pytest.param(lambda event: event["data"].update(labels=[1]), "labels must be", id="a number as label"),
        pytest.param(lambda event: event["data"].update(inputs=[]), "inputs must be", id="inputs without names"),
        pytest.param(lambda event: event["data"].update(inputs={"a": 1}), "inputs.a must be", id="no list"),
        pytest.param(lambda event: event["data"].update(inputs={"a": []}), "inputs.a must be", id="too few values"),
        pytest.param(lambda event: event["data"].update(inputs={"a": [[1]]}), "inputs.a must be", id="a nested value"),
        pytest.param(lambda event: event["data"].update(features="AAA="), "features must be", id="half a number"),
        pytest.param(lambda event: event["data"].update(features="?"), "expected an event", id="no base64"),
        pytest.param(lambda event: event["data"].update(features=None), "expected an event", id="no features"),
    ],
)
def test_the_first_entry_that_is_no_event_is_named(change: Change, problem: str) -> None:
    wrong = cloud_event(a_prediction(2))
    change(wrong)
    body = orjson.dumps([cloud_event(a_prediction(1)), wrong, 7])
    with pytest.raises(DataError, match=problem) as raised:
        predictions(BATCH_TYPE, body)
    assert raised.value.place == "events[1]"
    assert raised.value.message.startswith("expected an event of a prediction: ")
