# SPDX-License-Identifier: Apache-2.0
"""A served model of prices with rolling features and a private column: V1, V2, metadata, and what is not told."""

import hashlib
import json
import struct
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest

from kelp.frame.history import History
from kelp.frame.pseudonym import pseudonym
from kelp.frame.rows import columns_from_instances
from kelp.frame.scorer import Scorer
from kelp.frame.transform import Feature, RawColumn, Transform, Window
from tests.local.serving.conftest import Server, linear_model, refused_start, running

KEY = b"key of pseudonyms"
DAY_US = 86_400_000_000
V1 = "/v1/models/price:predict"
V2 = "/v2/models/price/infer"
QUOTE = {"at": "2026-03-02T12:00:00Z", "sku": "tea", "customer": "Ann Smith", "price": 2.0}

PRICES = Transform(
    task="regression",
    classes=(),
    time="at",
    columns=(
        RawColumn(name="at", type="timestamp", nullable=False),
        RawColumn(name="sku", type="string", nullable=False),
        RawColumn(name="customer", type="string", nullable=False, private=True),
        RawColumn(name="price", type="float", nullable=True, optional=True),
    ),
    windows=(
        Window(name="quotes", by=("sku",), over="sku", take="count", start_us=DAY_US, end_us=1),
        Window(name="mean", by=("sku",), over="price", take="mean", start_us=DAY_US, end_us=1, unit=2.0**-20),
        Window(name="since", by=("customer",), over="price", take="since", start_us=DAY_US, end_us=1, unit=2.0**-20),
    ),
    features=(
        Feature(name="price", column="price", kind="number"),
        Feature(name="quotes", column="quotes", kind="number"),
        Feature(name="mean", column="mean", kind="number"),
        Feature(name="since", column="since", kind="number", fill=DAY_US / 1e6),
    ),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The version, whose history has one quote of tea at 4.0 for Ann Smith, an hour before `QUOTE`."""
    folder = tmp_path_factory.mktemp("price") / "5"
    folder.mkdir()
    past = {**QUOTE, "at": "2026-03-02T11:00:00Z", "price": 4.0, "customer": pseudonym(KEY, "Ann Smith")}
    history = History(PRICES)
    history.observe(columns_from_instances(PRICES, [past]))
    pq.write_table(history.to_table(), folder / "history.parquet")
    (folder / "transform.json").write_text(PRICES.to_json(), encoding="utf-8")
    (folder / "model.onnx").write_bytes(linear_model("regression"))
    row = {**past, "quotes": 1.0, "mean": None, "since": 60.0}
    scores = Scorer.load(folder).score_columns(columns_from_instances(PRICES, [row])).reshape(1, 1).tolist()
    golden = {"columns": list(row), "rows": [list(row.values())], "scores": scores}
    (folder / "golden.json").write_text(json.dumps(golden), encoding="utf-8")
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    (folder / "manifest.json").write_text(json.dumps({"files": files}), encoding="utf-8")
    (folder.parent / "pseudonym.key").write_bytes(KEY)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """One server, which remembers what it was asked: each test asks about a sku of its own."""
    key = folder.parent / "pseudonym.key"
    arguments = ["--model-name", "price", "--model-dir", str(folder), "--pseudonym-key", str(key)]
    with running(folder.parent / "log", *arguments) as started:
        yield started


def score(price: float, quotes: float, mean: float, since: float) -> Any:
    return pytest.approx(0.1 * (price + quotes + mean + since), rel=1e-6)


def asked(client: httpx.Client, *rows: dict[str, Any]) -> list[float]:
    answer = client.post(V1, json={"instances": rows})
    assert answer.status_code == 200, answer.text
    return [prediction["score"] for prediction in answer.json()["predictions"]]


def facts(client: httpx.Client) -> dict[str, int]:
    found: dict[str, int] = client.get("/v2/models/price").json()["history"]
    return found


def test_quote_sent_again_after_ten_others_of_its_sku_gets_another_answer(client: httpx.Client) -> None:
    others = [{**QUOTE, "at": f"2026-03-02T12:0{minute}:00Z", "customer": "Bob", "price": 3.0} for minute in range(10)]
    assert asked(client, QUOTE) == [score(2, 1, 4, 3600)]
    asked(client, *others)
    assert asked(client, {**QUOTE, "at": "2026-03-02T13:00:00Z"}) == [score(2, 12, (4 + 2 + 30) / 12, 3600)]


def test_v2_and_its_binary_form_share_the_history(client: httpx.Client) -> None:
    strings = {"at": "2026-03-02T12:00:00Z", "sku": "jam", "customer": "Cem"}
    inputs: list[dict[str, Any]] = [
        {"name": name, "datatype": "BYTES", "shape": [1], "data": [text]} for name, text in strings.items()
    ]
    inputs.append({"name": "price", "datatype": "FP64", "shape": [1], "data": [2.0]})
    first = client.post(V2, json={"inputs": inputs}).json()
    assert first["outputs"][0]["data"] == [score(2, 0, 0, 86_400)]
    inputs[0] = {"name": "at", "datatype": "FP64", "shape": [1], "parameters": {"binary_data_size": 8}}
    head = json.dumps({"inputs": inputs}).encode()
    body = head + struct.pack("<d", datetime.fromisoformat("2026-03-02T13:00:00Z").timestamp())
    answer = client.post(V2, content=body, headers={"Inference-Header-Content-Length": str(len(head))})
    assert answer.json()["outputs"][0]["data"] == [score(2, 1, 2, 3600)]


def test_windows_in_the_request_leave_the_history_alone(client: httpx.Client) -> None:
    before = facts(client)
    sent = {**QUOTE, "quotes": 5, "mean": 1.5, "since": None}
    assert asked(client, sent, sent) == [score(2, 5, 1.5, 86_400)] * 2
    assert facts(client) == before


def test_metadata_says_what_the_history_holds(client: httpx.Client) -> None:
    before = facts(client)
    asked(client, {**QUOTE, "sku": "salt", "customer": "Dan"}, {**QUOTE, "sku": "salt", "customer": "Eve"})
    metadata = client.get("/v2/models/price").json()
    assert (metadata["name"], metadata["versions"], metadata["platform"]) == ("price", ["5"], "onnx")
    assert [entry["name"] for entry in metadata["inputs"]] == ["at", "sku", "customer", "price"]
    grown = {"entities": before["entities"] + 3, "events": before["events"] + 6}
    assert metadata["history"] == {**before, **grown}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param({**QUOTE, "at": None}, "instances[1].at: expected an ISO 8601", id="no-time"),
        pytest.param({**QUOTE, "customer": 12345678}, "instances[1].customer: expected a string", id="private"),
        pytest.param({**QUOTE, "quotes": 1}, "instances[0].quotes: expected a float, found nothing", id="one-window"),
        pytest.param({"at": QUOTE["at"]}, "instances[1].sku: expected a string", id="no-sku"),
    ],
)
def test_refused_request_leaves_the_history_alone_and_tells_nothing_private(
    server: Server, client: httpx.Client, row: dict[str, Any], message: str
) -> None:
    before = facts(client)
    answer = client.post(V1, json={"instances": [QUOTE, row]})
    assert (answer.status_code, message in answer.json()["error"]) == (400, True), answer.text
    assert facts(client) == before
    for value in ("Ann Smith", "12345678"):
        assert value not in answer.text + server.log.read_text()


def test_model_with_a_private_column_is_not_served_without_the_key(folder: Path) -> None:
    code, message = refused_start("--model-name", "price", "--model-dir", str(folder))
    assert code == 4
    assert "the column customer is private" in message
    assert "--pseudonym-key" in message


def test_history_with_a_state_folder_survives_a_kill_and_an_end(tmp_path: Path, folder: Path) -> None:
    arguments = ["--model-name", "price", "--model-dir", str(folder), "--state-dir", str(tmp_path / "state")]
    arguments += ["--pseudonym-key", str(folder.parent / "pseudonym.key")]
    rice = {**QUOTE, "sku": "rice", "customer": "Fay"}
    with running(tmp_path / "log", *arguments) as first, httpx.Client(base_url=first.url) as client:
        asked(client, rice, {**rice, "at": "2026-03-02T12:30:00Z", "price": 6.0})
        before = facts(client)
        assert (before["isKept"], before["restoredRows"]) == (True, 0)
    # `running` ends a server by killing it.
    with running(tmp_path / "log", *arguments) as second, httpx.Client(base_url=second.url) as client:
        assert facts(client)["entities"] == before["entities"]
        assert asked(client, {**rice, "at": "2026-03-02T13:00:00Z"}) == [score(2, 2, 4, 1800)]
        second.process.terminate()
        assert second.process.wait(30) == 0
    with running(tmp_path / "log", *arguments) as third, httpx.Client(base_url=third.url) as client:
        assert asked(client, {**rice, "at": "2026-03-02T13:10:00Z"}) == [score(2, 3, 10 / 3, 600)]
        assert facts(client)["restoredRows"] == 3
    for path in (tmp_path / "state").rglob("*"):
        assert path.is_dir() or b"Fay" not in path.read_bytes()
        assert path.is_dir() or b"Ann" not in path.read_bytes()


def test_second_server_on_the_same_state_is_refused(tmp_path: Path, folder: Path) -> None:
    arguments = ["--model-name", "price", "--model-dir", str(folder), "--state-dir", str(tmp_path / "state")]
    arguments += ["--pseudonym-key", str(folder.parent / "pseudonym.key")]
    with running(tmp_path / "log", *arguments):
        code, message = refused_start(*arguments)
    assert code == 4
    assert str(tmp_path / "state" / "price" / "5") in message
