# SPDX-License-Identifier: Apache-2.0
"""What of an answered request reaches its event."""

import json
import struct
from pathlib import Path
from typing import Any

import orjson
import pytest

from kelp.errors import DataError
from kelp.events import cloud_event, read_cloud_event
from kelp.frame.online import Online
from kelp.frame.pseudonym import pseudonym
from kelp.frame.scorer import Scorer
from kelp.frame.transform import Feature, RawColumn, Transform
from serving.runtime.answer import Answer
from serving.runtime.endpoint import hot_paths
from serving.runtime.model import ServedModel
from serving.runtime.record import Record, prediction_of

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


def recorded(path: str, body: bytes, fields: dict[bytes, bytes] | None = None, rows: int = 1) -> Any:
    """The event of a request that was answered, after a trip through JSON."""
    model = ServedModel("price", 3, Online(Scorer(TRANSFORM, None), None, KEY), Path())
    answer = Answer([1.5] * rows, [], [], ())
    record = Record(hot_paths({"price": model})[path.encode()], fields or {}, body, answer, 1_700_000_000.25, 0.001)
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
    found = recorded("/v1/models/price:predict", json.dumps({"instances": rows}).encode(), rows=2)
    assert found.inputs == {"amount": [1, None], "customer": [HIDDEN, None]}
    assert (found.model, found.version, found.arm, found.seconds) == ("price", "3", "canary", 0.001)
    assert (found.time, found.request_id) == (1_700_000_000.25, None)


def test_private_values_are_pseudonyms_in_v2() -> None:
    tensors = [
        {"name": "amount", "datatype": "FP64", "shape": [1, 1], "data": [[1.0]]},
        {"name": "customer", "datatype": "BYTES", "shape": [1], "data": ["Ann Smith"]},
        {"name": "undeclared", "datatype": "BYTES", "shape": [1], "data": ["Ann Smith"]},
    ]
    fields = {b"x-request-id": b"caller-7"}
    found = recorded("/v2/models/price/infer", json.dumps({"inputs": tensors}).encode(), fields)
    assert (found.inputs, found.features) == ({"amount": [1.0], "customer": [HIDDEN]}, {})
    assert found.request_id == "caller-7"


def test_rows_that_came_transformed_are_features() -> None:
    tensor = {"name": "rows", "datatype": "FP32", "shape": [2, 1], "parameters": {"binary_data_size": 8}}
    head = json.dumps({"inputs": [tensor]}).encode()
    fields = {b"inference-header-content-length": b"%d" % len(head)}
    found = recorded("/v2/models/price/infer", head + struct.pack("<2f", 1.5, 2.5), fields, rows=2)
    assert (found.inputs, found.features) == ({}, {"amount": [1.5, 2.5]})


@pytest.mark.parametrize("event", [7, {}, {"specversion": "1.0", "type": "other"}, None])
def test_other_events_are_refused(event: Any) -> None:
    with pytest.raises(DataError, match="expected an event of a prediction"):
        read_cloud_event(event)
