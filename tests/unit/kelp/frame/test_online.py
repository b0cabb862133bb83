# SPDX-License-Identifier: Apache-2.0
"""A version directory with windows and a private column, as a server loads and asks it."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from kelp.errors import EnvironmentFault, IntegrityError, RequestError
from kelp.frame.history import History
from kelp.frame.online import Online
from kelp.frame.pseudonym import pseudonym
from kelp.frame.rows import columns_from_instances
from kelp.frame.tensors import Tensor, columns_from_tensors, tensor_cell
from kelp.frame.transform import Feature, Transform
from tests.unit.kelp.frame.conftest import onnx_model
from tests.unit.kelp.frame.windowed import columns_of, quotes, window

KEY = b"a key of pseudonyms"
QUOTE = {"at": 100, "sku": "tea", "customer": "Ann Smith", "price": 2.0}
PRICES = quotes(window("count"), window("mean"))
BUYERS = quotes(window("count", by=("customer",)))


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Online]:
    """Write a version whose model answers a hundredth of the sum of its features, then load it."""

    def write_and_load(transform: Transform, past: list[dict[str, Any]], key: bytes | None = KEY) -> Online:
        (tmp_path / "transform.json").write_text(transform.to_json(), encoding="utf-8")
        (tmp_path / "model.onnx").write_bytes(onnx_model(transform))
        history = History(transform)
        history.observe(columns_of(transform, past))
        pq.write_table(history.to_table(), tmp_path / "history.parquet")
        return Online.load(tmp_path, key)

    return write_and_load


def scores(online: Online, *rows: dict[str, Any]) -> list[float]:
    found = online.score_columns(columns_from_instances(online.scorer.transform, list(rows)))
    return [round(float(score) * 100, 3) for score in found]


def test_windows_start_from_the_versions_history_and_grow_by_every_row(load: Callable[..., Online]) -> None:
    online = load(PRICES, [{"at": 95.0, "sku": "tea", "price": 4.0}])
    assert scores(online, QUOTE) == [1 + 4]
    later = {**QUOTE, "at": 101}
    assert scores(online, later) == [2 + 3]
    assert scores(online, later, {**later, "sku": "jam"}) == [2 + 3, 0 - 1]


def test_same_quote_after_ten_others_of_its_sku_gets_another_answer(load: Callable[..., Online]) -> None:
    online = load(PRICES, [])
    others = [{**QUOTE, "at": 100 + tenth / 10, "price": 3.0} for tenth in range(1, 11)]
    again = {**QUOTE, "at": 102}
    (first,) = scores(online, QUOTE)
    scores(online, *others)
    (second,) = scores(online, again)
    assert (first, second) == (0 - 1, round(11 + (2 + 30) / 11, 3))


def test_windows_that_are_sent_neither_ask_nor_feed_the_history(load: Callable[..., Online]) -> None:
    online = load(PRICES, [])
    sent = {**QUOTE, "count_price": 7, "mean_price": None}
    assert scores(online, sent, sent) == [7 - 1] * 2
    assert scores(online, {**sent, "at": None}) == [7 - 1]
    assert online.history is not None
    assert online.history.facts()["events"] == 0


def test_private_values_meet_the_history_as_pseudonyms(load: Callable[..., Online]) -> None:
    online = load(BUYERS, [{"at": 95.0, "customer": pseudonym(KEY, "Ann Smith"), "price": 4.0}])
    assert scores(online, QUOTE, {**QUOTE, "customer": "Bob"}, {**QUOTE, "customer": None}) == [1, 0, 0]
    assert online.history is not None
    written = json.dumps(online.history.to_table().to_pylist())
    assert "Ann" not in written
    assert pseudonym(KEY, "Bob") in written


def test_private_column_may_be_a_feature(load: Callable[..., Online]) -> None:
    codes = Feature(name="who", column="customer", kind="category", categories=("zz", pseudonym(KEY, "Ann Smith")))
    online = load(quotes(features=(codes,)), [])
    assert scores(online, QUOTE, {**QUOTE, "customer": "Bob"}) == [2, 0]
    assert online.history is None


@pytest.mark.parametrize("key", [None, b""])
def test_private_columns_without_a_key_are_refused(load: Callable[..., Online], key: bytes | None) -> None:
    with pytest.raises(EnvironmentFault, match="the column customer is private") as caught:
        load(PRICES, [], key)
    assert "--pseudonym-key" in caught.value.fix


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.unlink(), id="missing"),
        pytest.param(lambda path: path.write_bytes(b"PAR1"), id="corrupt"),
    ],
)
def test_history_that_cannot_be_read_is_named(
    load: Callable[..., Online], tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    load(PRICES, [])
    damage(tmp_path / "history.parquet")
    with pytest.raises(IntegrityError, match="cannot be read") as caught:
        Online.load(tmp_path, KEY)
    assert caught.value.place == str(tmp_path / "history.parquet")


def test_refused_row_of_tensors_is_named_as_one(load: Callable[..., Online]) -> None:
    online = load(PRICES, [])
    tensors = [
        Tensor("at", "FP64", (2,), [1, math.nan]),
        Tensor("sku", "BYTES", (2,), ["a", "b"]),
        Tensor("customer", "BYTES", (2,), ["", ""]),
    ]
    columns = columns_from_tensors(PRICES, tensors)
    assert np.isnan(columns["price"]).all()
    with pytest.raises(RequestError, match=r"inputs\.at\[1\]: expected the row's time"):
        online.score_columns(columns, tensor_cell)
