# SPDX-License-Identifier: Apache-2.0
"""The requests of `bench.serving`: the same rows in each protocol, how they are sent, and the scores in the answers."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.grpc_load import grpc_ask, grpc_message, grpc_scores, measure_grpc
from bench.load import Load, http_request, measure
from bench.servers import NAMES, Server

Rows = Any
"""float32, shape (n, WIDTH)."""


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of request over HTTP; `budget` is the least ratio of answers a second, ours to the peer's."""

    name: str
    path: str
    rows: int
    budget: float
    body: Callable[[Rows], tuple[bytes, dict[str, str]]]

    def scores(self, server: Server, rows: Rows) -> list[float]:
        """What a server answers."""
        content = json.loads(server.ask(self._request(server, rows)))
        if "outputs" in content:
            return list(content["outputs"][0]["data"])
        return [row["score"] if isinstance(row, dict) else row for row in content["predictions"]]

    def load(self, server: Server, rows: Rows, *, connections: int, seconds: float) -> Load:
        """What it answers under load."""
        request = self._request(server, rows)
        return measure(server.port, request, server.cpu_s, connections=connections, seconds=seconds)

    def _request(self, server: Server, rows: Rows) -> bytes:
        body, headers = self.body(rows[: self.rows])
        return http_request(self.path.format(server.name), body, headers)


@dataclass(frozen=True, slots=True)
class GrpcCase:
    """The same over gRPC."""

    name: str
    rows: int
    budget: float

    def scores(self, server: Server, rows: Rows) -> list[float]:
        """What a server answers."""
        return grpc_scores(grpc_ask(server.grpc_port, grpc_message(server.name, rows[: self.rows])))

    def load(self, server: Server, rows: Rows, *, connections: int, seconds: float) -> Load:
        """What it answers under load."""
        message = grpc_message(server.name, rows[: self.rows])
        return measure_grpc(server.grpc_port, message, server.cpu_s, connections=connections, seconds=seconds)


def _one_tensor(rows: Rows) -> tuple[bytes, dict[str, str]]:
    tensor = {"name": "rows", "datatype": "FP32", "shape": list(rows.shape), "data": rows.ravel().tolist()}
    return json.dumps({"inputs": [tensor]}).encode(), {}


def _binary(rows: Rows) -> tuple[bytes, dict[str, str]]:
    content = rows.tobytes()
    tensor = {"name": "rows", "datatype": "FP32", "shape": list(rows.shape)}
    head = json.dumps({"inputs": [{**tensor, "parameters": {"binary_data_size": len(content)}}]}).encode()
    return head + content, {
        "Inference-Header-Content-Length": str(len(head)),
        "content-type": "application/octet-stream",
    }


def _objects(rows: Rows) -> tuple[bytes, dict[str, str]]:
    return json.dumps({"instances": [dict(zip(NAMES, row, strict=True)) for row in rows.tolist()]}).encode(), {}


def _tensor_a_column(rows: Rows) -> tuple[bytes, dict[str, str]]:
    tensors = [
        {"name": name, "datatype": "FP32", "shape": [len(rows)], "data": column}
        for name, column in zip(NAMES, np.transpose(rows).tolist(), strict=True)
    ]
    return json.dumps({"inputs": tensors}).encode(), {}


_V1 = "/v1/models/{}:predict"
_V2 = "/v2/models/{}/infer"
CASES = (
    Case("1 row, V2 JSON, one tensor", _V2, 1, 8, _one_tensor),
    Case("1 row, V1, named columns", _V1, 1, 6, _objects),
    Case("1 row, V2 JSON, named columns", _V2, 1, 6, _tensor_a_column),
    Case("100 rows, V2 JSON, one tensor", _V2, 100, 4, _one_tensor),
    Case("1 row, V2 binary", _V2, 1, 6, _binary),
    Case("100 rows, V2 binary", _V2, 100, 6, _binary),
    GrpcCase("1 row, gRPC", 1, 2),
    GrpcCase("100 rows, gRPC", 100, 2),
)
