# SPDX-License-Identifier: Apache-2.0
"""What of an answered request reaches its event."""

import json
import struct
from typing import Any

import numpy as np
import orjson
import pytest

from kelp.errors import DataError
from kelp.events import cloud_event, read_cloud_event
from kelp.frame.online import Online
from kelp.frame.pseudonym import pseudonym
from kelp.frame.scorer import Scorer
from kelp.frame.transform import Feature, RawColumn, Transform
from serving.runtime.answer import answer
from serving.runtime.endpoint import hot_endpoint
from serving.runtime.metrics import Metrics
from serving.runtime.record import Record, prediction_of
from tests.unit.serving.runtime.planes import Doubling, a_model

KEY = b"a key of pseudonyms"
TRANSFORM = Transform(
    task="regression",
    classes=(),
    columns=(
        RawColumn(name="amount", type="float", nullable=True),
        RawColumn(name="customer", type="string", nullable=True, private=True),
    ),
    features=(Feature(name="amount", column="amount", kind="number"),),
)
HIDDEN = pseudonym(KEY, "Ann Smith")


def recorded(path: str, body: bytes, fields: dict[bytes, bytes] | None = None) -> Any:
    """The event of a request that was answered, after a trip through JSON."""
    model = a_model(Online(Scorer(TRANSFORM, Doubling()), None, KEY), Metrics("canary"))
    endpoint = hot_endpoint(path.encode())
    assert endpoint is not None
    source = (fields or {}, body)
    found = answer(model.online, endpoint.read(*source))
    record = Record(model, endpoint.read, source, found, "r-7", 1_700_000_000.25, 0.001, len(body))
    prediction = prediction_of(record, "a-1", "canary")
    sent = orjson.dumps(cloud_event(prediction))
    assert b"Ann" not in sent
    assert b"undeclared" not in sent
    assert read_cloud_event(orjson.loads(sent)) == prediction
    return prediction


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(
            [{"amount": 1, "customer": "Ann Smith", "undeclared": 7}, {"amount": None, "customer": None}], id="v1"
        ),
        pytest.param([[1, "Ann Smith"], [None, None]], id="v1-lists"),
    ],
)
def test_private_values_are_pseudonyms_in_v1(rows: list[Any]) -> None:
    found = recorded("/v1/models/price:predict", json.dumps({"instances": rows}).encode())
    assert found.inputs == {"amount": [1, None], "customer": [HIDDEN, None]}
    assert (found.model, found.version, found.arm, found.seconds) == ("price", "3", "canary", 0.001)
    assert (found.time, found.request_id) == (1_700_000_000.25, "r-7")


def test_private_values_are_pseudonyms_in_v2() -> None:
    tensors = [
        {"name": "amount", "datatype": "FP64", "shape": [1, 1], "data": [[1.0]]},
        {"name": "customer", "datatype": "BYTES", "shape": [1], "data": ["Ann Smith"]},
        {"name": "undeclared", "datatype": "BYTES", "shape": [1], "data": ["Ann Smith"]},
    ]
    found = recorded("/v2/models/price/infer", json.dumps({"inputs": tensors}).encode())
    assert (found.inputs, found.features) == ({"amount": [1.0], "customer": [HIDDEN]}, b"")


def test_what_is_missing_in_v2_is_null() -> None:
    tensors = [
        {"name": "amount", "datatype": "FP64", "shape": [2], "data": [None, 2.0]},
        {"name": "customer", "datatype": "BYTES", "shape": [2], "data": ["", "Ann Smith"]},
    ]
    found = recorded("/v2/models/price/infer", json.dumps({"inputs": tensors}).encode())
    assert found.inputs == {"amount": [None, 2.0], "customer": [None, HIDDEN]}


def test_rows_that_came_transformed_are_features() -> None:
    tensor = {"name": "rows", "datatype": "FP32", "shape": [2, 1], "parameters": {"binary_data_size": 8}}
    head = json.dumps({"inputs": [tensor]}).encode()
    fields = {b"inference-header-content-length": b"%d" % len(head)}
    found = recorded("/v2/models/price/infer", head + struct.pack("<2f", 1.5, 2.5), fields)
    assert (found.inputs, found.features) == ({}, struct.pack("<2f", 1.5, 2.5))


def test_windows_that_a_history_answered_are_inputs() -> None:
    windows = {"quotes": np.array([4.0, np.nan])}
    model = a_model(Online(Scorer(TRANSFORM, Doubling()), None, KEY), Metrics("canary"))
    endpoint = hot_endpoint(b"/v1/models/price:predict")
    assert endpoint is not None
    source: Any = ({}, b'{"instances": [[1, null], [2, null]]}')
    found = answer(model.online, endpoint.read(*source))._replace(windows=windows)
    inputs = prediction_of(Record(model, endpoint.read, source, found, "r", 0.0, 0.0, 9), "a", "canary").inputs
    assert inputs == {"amount": [1, 2], "customer": [None, None], "quotes": [4.0, None]}


@pytest.mark.parametrize("event", [7, {}, {"specversion": "1.0", "type": "other"}, None])
def test_other_events_are_refused(event: Any) -> None:
    with pytest.raises(DataError, match="expected an event of a prediction"):
        read_cloud_event(event)
