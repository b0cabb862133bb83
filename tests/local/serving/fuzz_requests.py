# SPDX-License-Identifier: Apache-2.0
"""Builders of HTTP requests that nobody would write, from good documents of either protocol. Each takes a generator of
random numbers and gives the bytes to send; `test_fuzz` sends them.
"""

import json
import struct
from random import Random
from typing import Any

from tests.local.serving.conftest import ROW
from tests.local.serving.mutation import PACKED, TEXT, damaged, mutated
from tests.local.serving.raw_connection import post, request

V1: dict[str, Any] = {"instances": [ROW, {**ROW, "amount": None}]}
V1_LISTS: dict[str, Any] = {"instances": [[12.5, "shop", True, 2], [3, "caf\u00e9", False, 1]]}
MATRIX = {"name": "rows", "datatype": "FP32", "shape": [1, 4], "data": [12.5, 2, 1, 2]}
COLUMNS: list[dict[str, Any]] = [
    {"name": "amount", "datatype": "FP64", "shape": [2], "data": [12.5, None]},
    {"name": "merchant", "datatype": "BYTES", "shape": [2, 1], "data": [["shop"], [""]]},
    {"name": "is_foreign", "datatype": "BOOL", "shape": [2], "data": [True, False]},
    {"name": "items", "datatype": "INT64", "shape": [2], "data": [2, 1]},
]
V2 = {
    "id": "a",
    "parameters": {"binary_data_output": False},
    "inputs": [MATRIX],
    "outputs": [{"name": "score", "parameters": {"binary_data": True}}],
}
V2_COLUMNS = {"inputs": COLUMNS}

MODELS = ["fraud", "churn", "price", "fraud/versions/1"]
TYPES = ["application/json"] * 30 + ["", "text/plain", "application/json; charset=utf-8", "a/octet-stream", "\xff"]


def content_type(chance: Random) -> tuple[str, str]:
    return "content-type", chance.choice(TYPES)


def v1_request(chance: Random) -> bytes:
    body = json.dumps(mutated(chance, chance.choice([V1, V1_LISTS]))).encode()
    return post(f"/v1/models/{chance.choice(MODELS)}:predict", damaged(chance, body), content_type(chance))


def explain_request(chance: Random) -> bytes:
    rows = chance.choice([V1, V1_LISTS])["instances"][:1]
    body = json.dumps(mutated(chance, {"instances": rows})).encode()
    return post(f"/v1/models/{chance.choice(MODELS)}:explain", damaged(chance, body), content_type(chance))


def v2_request(chance: Random) -> bytes:
    body = json.dumps(mutated(chance, chance.choice([V2, V2_COLUMNS]))).encode()
    return post(f"/v2/models/{chance.choice(MODELS)}/infer", damaged(chance, body), content_type(chance))


def binary_request(chance: Random) -> bytes:
    """V2 with some tensors as bytes after the JSON, whose lengths are mostly said rightly."""
    if chance.random() < 0.5:
        tensors: list[dict[str, Any]] = [{**MATRIX, "parameters": {"binary_data_size": len(PACKED)}}]
        tail = PACKED
    else:
        tensors = [{**tensor, "shape": [1], "data": [ROW[str(tensor["name"])]]} for tensor in COLUMNS]
        tensors[1]["parameters"] = {"binary_data_size": len(TEXT)}
        tensors[3]["parameters"] = {"binary_data_size": 8}
        tail = TEXT + struct.pack("<q", 2)
    for tensor in tensors:
        if "parameters" in tensor:
            del tensor["data"]
    document: Any = {"inputs": tensors, "parameters": {"binary_data_output": chance.random() < 0.5}}
    if chance.random() < 0.7:
        document = mutated(chance, document)
    head = json.dumps(document).encode()
    tail = damaged(chance, tail) if chance.random() < 0.7 else chance.randbytes(len(tail))
    length = str(len(head))
    if chance.random() < 0.1:
        length = chance.choice(["", "-1", "0", "3", "9" * 20, "1e3", "\xb2", str(len(head) + 5)])
    fields = [content_type(chance), ("inference-header-content-length", length)]
    return post(f"/v2/models/{chance.choice(MODELS)}/infer", head + tail, *fields[: 1 if chance.random() < 0.03 else 2])


NAMES = ["spare"] * 4 + ["nobody", "..", "%2e%2e", "%2e%2e%2f%2e%2e", ".", "%00", "%ff", "a" * 300]
QUESTIONS = [
    "POST /v2/repository/models/{}/load",
    "POST /v2/repository/models/{}/unload",
    "POST /v2/repository/models/spare/{}",
    "POST /v2/repository/models/spare/load",
    "GET /v2/repository/index",
    "POST /v2/repository/index",
    "GET /v2/models/{}",
    "GET /v2/models/{}/ready",
    "GET /v2/models/fraud/versions/{}",
    "GET /v2/models/fraud/versions/{}/ready",
    "GET /v1/models/{}",
    "GET /v1/models/{}:predict",
    "POST /v1/models/{}:predict",
    "POST /v2/models/{0}/versions/{0}/infer",
    "GET /{}",
    "GET /metrics?{}",
    "GET /metrics",
]
MEDIA_TYPES = ["application/openmetrics-text", "text/plain", "*/*", "\xff"]
MEDIA_VERSIONS = ["", ";version=0.0.4", ";version=1.0.0", ";version=x", ";version=1.0.0;escaping=y", ";=;,"]


def repository_request(chance: Random) -> bytes:
    """Load, unload, index, metadata, readiness and metrics, by names that are hostile or absent."""
    letters = "".join(chance.choices("abc.-_%~!$&'()*+,;=@:/0123456789", k=chance.randrange(12)))
    method, path = chance.choice(QUESTIONS).format(chance.choice([*NAMES, letters, letters])).split(" ")
    kind = chance.choice(MEDIA_TYPES) + chance.choice(MEDIA_VERSIONS)
    body = b"" if method == "GET" else json.dumps(mutated(chance, V1)).encode()
    fields = [(b"accept", kind.encode("latin-1")), (b"content-length", b"%d" % len(body))]
    return request(method, path.encode(), fields, body)


TARGETS = [
    *["/v1/models/fraud:predict"] * 12,
    *["/v2/models/fraud/infer"] * 6,
    "/v1/models/fraud:predict?a=1&%ff=%00",
    "/v1/models/fr%61ud:predict",
    "http://a/v1/models/fraud:predict",
    "/v1/models/fraud:explain",
    "//v1/models/fraud:predict",
    "/v1/models/fraud%2fx:predict",
    "/v1/models/%ff%fe:predict",
    "/v1/models/~%zz:predict",
    f"/v1/models/{'a' * 3000}:predict",
    "/",
    "*",
    "/v2/health/ready",
    "/metrics",
    "/v2/repository/index",
]
METHODS = ["POST"] * 12 + ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"]
FIELD_NAMES = [
    *("x-request-id", "X-Request-ID", "accept", "content-type", "content-encoding", "cookie", "te", "range"),
    *("inference-header-content-length", "a!#$%&'*+-.^_`|~9", "ce-id", "ce-type", "authorization", "origin"),
]
FIELD_VALUES = ["", "application/json", "identity", "gzip", "0", "-1", "a" * 5000, "\xe9", "a\tb", "*", "9" * 25]


def http_request(chance: Random) -> tuple[list[bytes], bool, bool]:
    """Any method, target, fields and framing that HTTP allows, in pieces; whether it is the last, and a HEAD."""
    method = chance.choice(METHODS)
    body = damaged(chance, json.dumps(chance.choice([V1, V1, V2, {}])).encode())
    fields = [field(chance) for _ in range(chance.choice([0, 0, 1, 2, 5]))]
    if chance.random() < 0.2:
        fields.append((b"expect", chance.choice([b"100-continue", b"100-CONTINUE", b"nothing"])))
    is_last = chance.random() < 0.1
    if is_last:
        fields.append((b"connection", chance.choice([b"close", b"Close", b"keep-alive, close"])))
    if chance.random() < 0.4:
        fields.append((b"transfer-encoding", b"chunked"))
        body = in_chunks(chance, body)
    else:
        fields.append((b"content-length", b"%d" % len(body)))
    whole = request(method, chance.choice(TARGETS).encode(), fields, body)
    is_answered_early = is_last and method in ("GET", "HEAD")  # and then closed, whatever is still to come
    cuts = sorted(chance.randrange(len(whole)) for _ in range(0 if is_answered_early else chance.choice([0, 0, 1, 3])))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    return pieces, is_last, method == "HEAD"


def field(chance: Random) -> tuple[bytes, bytes]:
    letters = "".join(chr(chance.choice([*range(32, 127), *range(128, 256)])) for _ in range(chance.randrange(12)))
    return chance.choice(FIELD_NAMES).encode(), chance.choice([*FIELD_VALUES, letters]).strip().encode("latin-1")


def in_chunks(chance: Random, body: bytes) -> bytes:
    size = chance.choice([1, 7, 1000, 100_000])
    if size == 1:
        body = body[:50]
    extension = chance.choice([b"", b";a=b", b';a="b;c"'])
    trailer = chance.choice([b"", b"x-request-id: late\r\n"])
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    framed = b"".join(b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
    return framed + b"0\r\n" + trailer + b"\r\n"


KINDS = {
    "v1": v1_request,
    "v2": v2_request,
    "binary": binary_request,
    "explain": explain_request,
    "repository": repository_request,
}
