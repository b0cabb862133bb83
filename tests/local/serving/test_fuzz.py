# SPDX-License-Identifier: Apache-2.0
"""Requests that nobody would write, at a real server: never our fault, never a closed connection, and the next good
request on the same connection has the right answer. The same requests are built every time.
"""

import json
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from tests.local.serving.conftest import Server, a_version, running
from tests.local.serving.test_kserve_clients import explainable

ROW: dict[str, Any] = {"amount": 12.5, "merchant": "shop", "is_foreign": True, "items": 2}
SCORE = 0.8519527912139893  # of the row, exactly as it is sent
LIMIT = 20_000  # bytes of a body
QUICK, SLOW = 220, 4000  # requests of each of seven kinds

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


@dataclass(frozen=True)
class Address:
    port: int
    grpc: int
    server: Server


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """A server of four models, of which `spare` may be loaded and unloaded."""
    folder = tmp_path_factory.mktemp("fuzz")
    for name, task in (("fraud", "binary"), ("churn", "multiclass"), ("price", "regression"), ("spare", "binary")):
        explainable(a_version(folder / "models" / name / "1", task))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    arguments = ["--repository", str(folder / "models"), "--max-body-bytes", str(LIMIT), "--grpc-port", str(port)]
    with running(folder / "log", *arguments) as server:
        yield Address(int(server.url.rpartition(":")[2]), port, server)
        assert "Traceback" not in server.log.read_text()
        assert "a request failed" not in server.log.read_text()


class Connection:
    """One kept-alive connection, on which one request follows the other."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._buffer = b""
        self._socket = self._opened()

    def _opened(self) -> socket.socket:
        found = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return found

    def ask(self, *parts: bytes, has_body: bool = True) -> tuple[int, dict[str, str], bytes]:
        """Send a request in parts; its answer's status, fields and body."""
        for part in parts:
            self._socket.sendall(part)
        status = 100
        while status == 100:
            head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            status = int(head[0].split(" ")[1])
        fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        if not has_body:
            return status, fields, b""
        if fields.get("transfer-encoding") == "chunked":
            return status, fields, self._chunks()
        return status, fields, self._exactly(int(fields["content-length"]))

    def is_open(self) -> bool:
        """Whether the server leaves the connection open, and has sent nothing that was not asked for."""
        self._socket.setblocking(False)
        try:
            return not self._buffer and self._socket.recv(1) is None
        except BlockingIOError:
            return True
        finally:
            self._socket.settimeout(30)

    def reopen(self) -> None:
        """Start again, after a request that asked for the end of the connection."""
        self.close()
        self._buffer, self._socket = b"", self._opened()

    def close(self) -> None:
        self._socket.close()

    def _until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            self._receive()
        found, _, self._buffer = self._buffer.partition(end)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._receive()
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    def _chunks(self) -> bytes:
        chunks = b""
        while size := int(self._until(b"\r\n"), 16):
            chunks += self._exactly(size)
            self._until(b"\r\n")
        self._until(b"\r\n")
        return chunks

    def _receive(self) -> None:
        received = self._socket.recv(65_536)
        assert received, "the server closed the connection"
        self._buffer += received


def request(method: str, path: bytes, fields: list[tuple[bytes, bytes]], body: bytes = b"") -> bytes:
    lines = [
        method.encode() + b" " + path + b" HTTP/1.1",
        b"host: a",
        *(name + b": " + value for name, value in fields),
    ]
    return b"\r\n".join([*lines, b"", b""]) + body


def post(path: str, body: bytes, *fields: tuple[str, str]) -> bytes:
    given_fields = [(name.encode(), value.encode("latin-1")) for name, value in fields]
    return request("POST", path.encode(), [*given_fields, (b"content-length", b"%d" % len(body))], body)


GOOD = post("/v1/models/fraud:predict", json.dumps({"instances": [ROW]}).encode(), ("content-type", "application/json"))


def check(connection: Connection, *parts: bytes, is_last: bool = False, has_body: bool = True) -> None:
    """Send a request: it is answered, by no fault of ours, and so is the next one."""
    status, fields, body = connection.ask(*parts, has_body=has_body)
    assert 200 <= status < 500, (status, body[:300])
    if status >= 400 and has_body and fields["content-type"] == "application/json":
        assert json.loads(body)
    if is_last:
        connection.reopen()
    else:
        assert "close" not in fields.get("connection", "")
        assert connection.is_open()
    status, _, body = connection.ask(GOOD)
    assert (status, json.loads(body)) == (200, {"predictions": [{"score": SCORE, "label": "true"}]})


# What requests are built of, each from a generator of random numbers whose seed hypothesis chooses: drawn choice by
# choice, two of five requests came twice, and most of the rest failed at the first look.

NUMBERS = [0, 1, -1, 2, 0.5, -0.0, 1e39, 1e308, 5e-324, 2**31, 2**53, -(2**63), 2**63, 2**64, 10**30]
TEXTS = [
    "",
    "a",
    "shop",
    "rows",
    "true",
    "1.5",
    "NaN",
    "\0",
    "caf\u00e9",
    "\U0001f600",
    "x" * 300,
    "2026-03-02T12:00:00Z",
]
DATATYPES = ["BOOL", "INT8", "INT64", "UINT64", "FP16", "FP32", "FP64", "BYTES", "fp32", ""]
NO_JSON = [float("nan"), float("inf"), "\ud800", 10**400]
MODELS = ["fraud", "churn", "price", "fraud/versions/1"]
TYPES = ["application/json"] * 30 + ["", "text/plain", "application/json; charset=utf-8", "a/octet-stream", "\xff"]


def weird(chance: Random) -> Any:
    """A value that is seldom the right one."""
    kinds: list[Callable[[], Any]] = [
        lambda: chance.choice([None, True, False, [], {}, [[]], [None], {"a": 1}]),
        lambda: chance.choice(NUMBERS),
        lambda: chance.choice(TEXTS),
        lambda: chance.choice(DATATYPES),
        lambda: chance.choices([*NUMBERS, *TEXTS, None, True], k=chance.randrange(6)),
        lambda: chance.randrange(-5, 9),
        lambda: chance.getrandbits(chance.randrange(1, 70)),
        lambda: chance.uniform(-9, 9) * 10.0 ** chance.randrange(-40, 40),
        lambda: "".join(chr(chance.randrange(1, 0xD800)) for _ in range(chance.randrange(5))),
        lambda: chance.choice(NO_JSON) if chance.random() < 0.1 else None,
    ]
    return chance.choice(kinds)()


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every value in a JSON document, as what holds it and the key in that."""
    found: list[tuple[Any, Any]] = []
    keys = tree.keys() if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        found.append((tree, key))
        found += places(tree[key])
    return found


def mutated(chance: Random, document: Any) -> Any:
    """The document after one to three changes, seldom of all of it."""
    tree = {"document": deepcopy(document)}
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        holder, key = chance.choice(places(tree if chance.random() < 0.1 else tree["document"]) or places(tree))
        match chance.choice(["replace"] * 12 + ["drop"] * 3 + ["twice", "rename", "wrap", "repeat", "many"]):
            case "drop" if holder is not tree:
                del holder[key]
            case "twice" if isinstance(holder, list):
                holder.insert(key, deepcopy(holder[key]))
            case "rename" if isinstance(holder, dict) and holder is not tree:
                holder[chance.choice(TEXTS)] = holder.pop(key)
            case "wrap":
                holder[key] = [holder[key]]
            case "repeat" | "many" as size if isinstance(holder[key], list):
                holder[key] = holder[key] * (2 if size == "repeat" else 1100)
            case _:
                holder[key] = deepcopy(weird(chance))
    return tree["document"]


def damaged(chance: Random, content: bytes) -> bytes:
    """The bytes, mostly as they are; else cut short, with some of them changed, repeated, longer, or others."""
    at, more = chance.randrange(len(content) + 1), chance.randbytes(chance.randrange(1, 9))
    match chance.choice(["none"] * 30 + ["cut", "changed", "repeated", "longer", "other"]):
        case "cut":
            return content[:at]
        case "changed":
            return content[:at] + more + content[at + len(more) :]
        case "repeated":
            return content * chance.randrange(2, 30)
        case "longer":
            return content + more
        case "other":
            return chance.choice([b"", b"\0", b"null", b"{", b"[" * 5000, b"\xef\xbb\xbf{}", b"\xff\xfe"])
        case _:
            return content


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


PACKED = struct.pack("<4f", 12.5, 2, 1, 2)
TEXT = b"\x04\0\0\0shop"


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


def same(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Hypothesis with as many examples, the same ones every time, however long one takes."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )


KINDS = {
    "v1": v1_request,
    "v2": v2_request,
    "binary": binary_request,
    "explain": explain_request,
    "repository": repository_request,
}
CHANCES = st.randoms(use_true_random=True)


def fuzz(address: Address, kind: str, examples: int) -> None:
    with closing(Connection(address.port)) as connection:

        @same(examples)
        @given(CHANCES.map(KINDS[kind]))
        def each(content: bytes) -> None:
            check(connection, content)

        each()


def fuzz_http(address: Address, examples: int) -> None:
    with closing(Connection(address.port)) as connection:

        @same(examples)
        @given(CHANCES.map(http_request))
        def each(built: tuple[list[bytes], bool, bool]) -> None:
            pieces, is_last, is_head = built
            check(connection, *pieces, is_last=is_last, has_body=not is_head)

        each()


@pytest.mark.parametrize("kind", list(KINDS))
def test_requests_over_http_are_never_our_fault(address: Address, kind: str) -> None:
    fuzz(address, kind, QUICK)


def test_requests_that_http_allows_are_never_our_fault(address: Address) -> None:
    fuzz_http(address, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(KINDS))
def test_many_requests_over_http_are_never_our_fault(address: Address, kind: str) -> None:
    fuzz(address, kind, SLOW)


@pytest.mark.slow
def test_many_requests_that_http_allows_are_never_our_fault(address: Address) -> None:
    fuzz_http(address, SLOW)


# gRPC.


class Caller:
    """One connection over gRPC, which is watched; requests are bytes."""

    def __init__(self, channel: Any) -> None:
        self.states: list[Any] = []
        self._calls = {
            method: channel.unary_unary(f"/inference.GRPCInferenceService/{method}")
            for method in ("ModelInfer", "ModelReady", "ModelMetadata", "RepositoryModelLoad", "RepositoryModelUnload")
        }
        self.good()
        channel.subscribe(self.states.append)

    def ask(self, method: str, content: bytes) -> tuple[str, str]:
        """Status and text of the answer."""
        try:
            self._calls[method](content, timeout=30)
        except grpc.RpcError as error:
            return error.code().name, error.details() or ""
        return "OK", ""

    def good(self) -> None:
        response = pb.ModelInferResponse.FromString(self._calls["ModelInfer"](a_message("fraud").SerializeToString()))
        assert response.outputs[0].contents.fp64_contents[0] == SCORE

    def check(self, method: str, content: bytes) -> None:
        """Send a request: it is answered, by no fault of ours, and so is the next one on the same connection."""
        code, text = self.ask(method, content)
        assert code in ("OK", "INVALID_ARGUMENT", "NOT_FOUND", "RESOURCE_EXHAUSTED"), (code, text)
        assert "Stream removed" not in text
        self.good()
        assert [state for state in self.states if state is not grpc.ChannelConnectivity.READY] == []


@contextmanager
def a_caller(address: Address) -> Iterator[Caller]:
    with grpc.insecure_channel(f"127.0.0.1:{address.grpc}", options=[("grpc.enable_retries", 0)]) as channel:
        yield Caller(channel)


def a_message(name: str) -> Any:
    message = pb.ModelInferRequest(model_name=name)
    tensor = message.inputs.add(name="rows", datatype="FP32", shape=[1, 4])
    tensor.contents.fp32_contents.extend([12.5, 2, 1, 2])
    return message


NUMBERS_64 = [0, 1, 4, 4, -1, 2**31, 2**62, -(2**63), 2**63 - 1]
LONG = "n" * 9000
OTHER_TEXTS = ["", "rows", "amount", "merchant", "score", "label", "1", "fraud", "..", "caf\u00e9", LONG]


def extend_contents(chance: Random, message: Any, tensor: Any) -> None:
    name = chance.choice(["int_contents", "int64_contents", "fp64_contents", "uint64_contents"])
    getattr(tensor.contents, name).extend(chance.choices(range(9), k=chance.randrange(6)))


def append_raw(chance: Random, message: Any, tensor: Any) -> None:
    message.raw_input_contents.append(chance.choice([b"", PACKED, PACKED, TEXT, chance.randbytes(16)]))
    if chance.random() < 0.7:
        tensor.ClearField("contents")


def replace_numbers(chance: Random, message: Any, tensor: Any) -> None:
    numbers = [0.0, 1.5, -1.0, float("nan"), float("inf"), 3e38]
    tensor.contents.fp32_contents[:] = chance.choices(numbers, k=chance.choice([4, 4, 4, 0, 5]))


def reshape(chance: Random, message: Any, tensor: Any) -> None:
    tensor.shape[:] = chance.choices(NUMBERS_64, k=chance.choice([2, 2, 0, 1, 3]))


CHANGES: list[Callable[[Random, Any, Any], Any]] = [
    extend_contents,
    append_raw,
    append_raw,
    replace_numbers,
    replace_numbers,
    reshape,
    lambda chance, message, tensor: tensor.contents.bytes_contents.append(chance.randbytes(3)),
    lambda chance, message, tensor: message.inputs.add().CopyFrom(tensor),
    lambda chance, message, tensor: message.outputs.add(name=chance.choice(OTHER_TEXTS)),
    lambda chance, message, tensor: setattr(tensor, "datatype", chance.choice([*DATATYPES, LONG])),
    lambda chance, message, tensor: setattr(tensor, "name", chance.choice(OTHER_TEXTS)),
    lambda chance, message, tensor: setattr(message, "model_name", chance.choice(OTHER_TEXTS)),
    lambda chance, message, tensor: setattr(message, "model_version", chance.choice(OTHER_TEXTS)),
    lambda chance, message, tensor: setattr(message, "id", chance.choice(OTHER_TEXTS)),
]


def grpc_request(chance: Random) -> tuple[str, bytes]:
    """A method and the bytes of its message, both or one of them wrong."""
    method = chance.choice(["ModelInfer"] * 15 + ["ModelReady", "ModelMetadata", "RepositoryModelLoad"])
    if method != "ModelInfer":
        message = pb.ModelReadyRequest(name=chance.choice(["", "spare", "..", "a" * 300, LONG]))
        return method, damaged(chance, message.SerializeToString())
    message = a_message(chance.choice(["fraud", "churn", "price"]))
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        chance.choice(CHANGES)(chance, message, chance.choice(list(message.inputs)))
    content = message.SerializeToString()
    if chance.random() < 0.2:  # of a message's bytes most are tags and lengths
        at = chance.randrange(len(content))
        content = content[:at] + chance.randbytes(1) + content[at + 1 :]
    return method, damaged(chance, content)


def fuzz_grpc(address: Address, examples: int) -> None:
    with a_caller(address) as caller:

        @same(examples)
        @given(CHANCES.map(grpc_request))
        def each(built: tuple[str, bytes]) -> None:
            caller.check(*built)

        each()


def test_requests_over_grpc_are_never_our_fault(address: Address) -> None:
    fuzz_grpc(address, QUICK)


@pytest.mark.slow
def test_many_requests_over_grpc_are_never_our_fault(address: Address) -> None:
    fuzz_grpc(address, SLOW)


# What of the table of bad inputs in KServe's server is not among `test_bad_requests`.


def changed(**change: Any) -> Any:
    message = a_message("fraud")
    for name, value in change.items():
        if name == "shape":
            message.inputs[0].shape[:] = value
        else:
            setattr(message.inputs[0], name, value)
    return message


def with_raw(*entries: bytes, keep: bool = False) -> Any:
    message = a_message("fraud")
    if not keep:
        message.inputs[0].ClearField("contents")
    message.raw_input_contents.extend(entries)
    return message


@pytest.mark.parametrize(
    ("message", "code", "text"),
    [
        pytest.param(changed(shape=[2, 4]), "INVALID_ARGUMENT", "inputs.rows.data: expected 8 values", id="shape"),
        pytest.param(changed(shape=[1, 5]), "INVALID_ARGUMENT", "inputs.rows.shape: expected [n, 4]", id="width"),
        pytest.param(changed(shape=[-1, 4]), "INVALID_ARGUMENT", "inputs[0].shape", id="negative-shape"),
        pytest.param(changed(shape=[2**62, 4]), "INVALID_ARGUMENT", "inputs.rows.data", id="shape-beyond-memory"),
        pytest.param(changed(datatype="FP99"), "INVALID_ARGUMENT", "inputs[0]: expected one of", id="datatype"),
        pytest.param(changed(datatype="INT64"), "INVALID_ARGUMENT", "expected FP32 or FP64", id="other-datatype"),
        pytest.param(changed(name="row"), "INVALID_ARGUMENT", "inputs.amount: expected a tensor", id="wrong-name"),
        pytest.param(with_raw(PACKED, PACKED), "INVALID_ARGUMENT", "raw_input_contents: expected 1", id="raw-count"),
        pytest.param(with_raw(PACKED, keep=True), "INVALID_ARGUMENT", "inputs[0].contents", id="raw-and-typed"),
        pytest.param(with_raw(PACKED[:-1]), "INVALID_ARGUMENT", "expected 4 bytes a value", id="raw-cut"),
        pytest.param(pb.ModelInferRequest(model_name="fraud"), "INVALID_ARGUMENT", "inputs: expected", id="no-inputs"),
        pytest.param(a_message("nobody"), "NOT_FOUND", "no model is called nobody", id="unknown-model"),
        pytest.param(a_message("../fraud"), "NOT_FOUND", "no model is called ../fraud", id="hostile-name"),
        pytest.param(
            pb.ModelInferRequest(model_name="fraud", model_version="9"), "NOT_FOUND", "version 9", id="unknown-version"
        ),
    ],
)
def test_bad_grpc_request_names_the_field_and_keeps_the_connection(
    address: Address, message: Any, code: str, text: str
) -> None:
    with a_caller(address) as caller:
        found, details = caller.ask("ModelInfer", message.SerializeToString())
        assert (found, text in details) == (code, True), details
        caller.check("ModelInfer", message.SerializeToString())


@pytest.mark.parametrize("method", ["ModelInfer", "ModelReady", "RepositoryModelLoad", "RepositoryModelUnload"])
@pytest.mark.parametrize("content", [b"\xff", b"\x0a\x02\xff\xfe", b"\x0a\xff"])
def test_bytes_that_are_no_message_are_refused(address: Address, method: str, content: bytes) -> None:
    with a_caller(address) as caller:
        assert caller.ask(method, content)[0] == "INVALID_ARGUMENT"
        caller.check(method, content)


def test_a_message_over_the_limit_is_refused_and_keeps_the_connection(address: Address) -> None:
    with a_caller(address) as caller:
        content = a_message("fraud").SerializeToString() * (LIMIT // 20)
        assert caller.ask("ModelInfer", content)[0] == "RESOURCE_EXHAUSTED"
        caller.check("ModelInfer", content)


def test_a_reason_that_repeats_what_the_caller_sent_is_cut(address: Address) -> None:
    message = changed(name="caf\u00e9" * 1000)
    message.inputs.add().CopyFrom(message.inputs[0])
    with a_caller(address) as caller:
        code, text = caller.ask("ModelInfer", message.SerializeToString())
        assert code == "INVALID_ARGUMENT"
        assert text.startswith("inputs.caf\u00e9")


def test_a_request_id_that_grpc_cannot_send_back_is_replaced(address: Address) -> None:
    """No client of gRPC sends such metadata: its frames are written here byte by byte."""
    for identity, is_kept in ((b"a-1", True), (b"a\tb", False), (b"\xff\xfe", False), (b"", False)):
        trailers = trailers_of(address.grpc, identity)
        assert b"grpc-status" in trailers
        assert trailers[trailers.index(b"grpc-status") + len(b"grpc-status") :][:2] == b"\x010"
        assert (identity in trailers.partition(b"x-request-id")[2][:20]) == is_kept or not identity


def trailers_of(port: int, identity: bytes) -> bytes:
    """The last HEADERS frame of the answer to a good request with this x-request-id."""
    fields = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/inference.GRPCInferenceService/ModelInfer"),
        (b":authority", b"a"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        (b"x-request-id", identity),
    ]
    head = b"".join(b"\0%c%b%c%b" % (len(name), name, len(value), value) for name, value in fields)
    message = a_message("fraud").SerializeToString()
    framed = b"\0" + struct.pack(">I", len(message)) + message
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        connection.sendall(preface + frame(4, 0, 0, b"") + frame(1, 4, 1, head) + frame(0, 1, 1, framed))
        stream = connection.makefile("rb")
        while True:
            size, kind, flags = struct.unpack(">I", b"\0" + stream.read(3))[0], *stream.read(2)
            stream.read(4)
            content = stream.read(size)
            if kind == 1 and flags & 1:
                return content


def frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return struct.pack(">I", len(content))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + content


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


HUGE = [3e38] * 4


def test_values_that_the_model_cannot_score_are_the_callers(address: Address) -> None:
    body = json.dumps({"inputs": [{**MATRIX, "data": HUGE}]}).encode()
    with closing(Connection(address.port)) as connection:
        check(connection, post("/v2/models/churn/infer", body))


def test_values_that_the_model_cannot_score_are_the_callers_over_grpc(address: Address) -> None:
    message = a_message("churn")
    message.inputs[0].contents.fp32_contents[:] = HUGE
    with a_caller(address) as caller:
        caller.check("ModelInfer", message.SerializeToString())


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
