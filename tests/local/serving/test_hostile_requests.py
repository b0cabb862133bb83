# SPDX-License-Identifier: Apache-2.0
"""Requests over HTTP that a server seldom sees, good and bad: what of the table of inputs in KServe's server is not
among `test_bad_requests`, numbers too large to score, an offer of HTTP/2, and long targets.
"""

import json
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.local.serving.conftest import ROW, Address
from tests.local.serving.fuzz_requests import MATRIX, V1_LISTS
from tests.local.serving.raw_connection import GOOD, Connection, check, post


@pytest.mark.parametrize(
    ("path", "body", "fields", "status"),
    [
        pytest.param("/v1/models/fraud:predict", {"instances": [{**ROW, "amount": None}]}, (), 200, id="v1-null-cell"),
        pytest.param("/v1/models/price:predict", V1_LISTS, (), 200, id="v1-lists"),
        pytest.param("/v2/models/fraud/infer", {"inputs": [MATRIX]}, (), 200, id="v2-without-id"),
        pytest.param("/v2/models/fraud/infer", {"id": None, "inputs": [MATRIX]}, (), 200, id="v2-id-null"),
        pytest.param("/v1/models/fraud:explain", {"instances": [ROW]}, (), 200, id="explain"),
        pytest.param("/v1/models/fraud:explain", {"instances": []}, (), 400, id="explain-no-rows"),
        pytest.param("/v1/models/fraud:explain", {}, (), 400, id="explain-no-instances"),
        pytest.param("/v1/models/fraud:explain", {"instances": [ROW] * 101}, (), 413, id="explain-too-many"),
        pytest.param(
            "/v2/models/fraud/infer",
            {"inputs": [MATRIX]},
            (("inference-header-content-length", "x"),),
            400,
            id="header",
        ),
        pytest.param("/v1/models/fraud:predict", {"instances": [ROW] * 1000}, (), 413, id="body-over-the-limit"),
    ],
)
def test_rows_of_the_table_that_are_good_or_bad(
    address: Address, path: str, body: Any, fields: tuple[tuple[str, str], ...], status: int
) -> None:
    content = post(path, json.dumps(body).encode(), *fields)
    with closing(Connection(address.port)) as connection:
        found, _, answer = connection.ask(content)
        assert found == status, answer
        check(connection, content)


def test_values_that_the_model_cannot_score_are_the_callers(address: Address) -> None:
    body = json.dumps({"inputs": [{**MATRIX, "data": [3e38] * 4}]}).encode()
    with closing(Connection(address.port)) as connection:
        check(connection, post("/v2/models/churn/infer", body))


def test_a_caller_that_offers_http_2_is_answered_over_http_1(address: Address) -> None:
    """As Java's own client does with its first request."""
    offer = [("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c"), ("http2-settings", "AAMAAABkAAQAAP__")]
    body = json.dumps({"instances": [ROW]}).encode()
    with closing(Connection(address.port)) as connection:
        status, _, answer = connection.ask(post("/v1/models/fraud:predict", body, *offer))
        assert (status, b"predictions" in answer) == (200, True), answer
        check(connection, post("/v1/models/fraud:predict", body, *offer))


def test_a_long_target_is_404_and_is_not_kept(address: Address) -> None:
    before = resident_bytes(address.server.process.pid)
    with closing(Connection(address.port)) as connection:
        for number in range(1000):
            status, _, _ = connection.ask(post(f"/v2/models/{number}{'a' * 60_000}/infer", b"{}"))
            assert status == 404
        check(connection, GOOD)
    assert resident_bytes(address.server.process.pid) - before < 30_000_000


def resident_bytes(pid: int) -> int:
    with suppress(StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) * 1024
    raise AssertionError("the process is gone")
