# SPDX-License-Identifier: Apache-2.0
"""Bad requests over gRPC: what of the table of bad inputs in KServe's server is not among `test_bad_requests`. Each is
refused by the field it is about, and the connection is kept.
"""

import socket
import struct
from typing import Any

import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from tests.local.serving.conftest import SMALL_LIMIT, Address
from tests.local.serving.fuzz_messages import a_caller, a_message
from tests.local.serving.mutation import PACKED


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
        content = a_message("fraud").SerializeToString() * (SMALL_LIMIT // 20)
        assert caller.ask("ModelInfer", content)[0] == "RESOURCE_EXHAUSTED"
        caller.check("ModelInfer", content)


def test_a_reason_that_repeats_what_the_caller_sent_is_cut(address: Address) -> None:
    message = changed(name="caf\u00e9" * 1000)
    message.inputs.add().CopyFrom(message.inputs[0])
    with a_caller(address) as caller:
        code, text = caller.ask("ModelInfer", message.SerializeToString())
        assert code == "INVALID_ARGUMENT"
        assert text.startswith("inputs.caf\u00e9")


def test_values_that_the_model_cannot_score_are_the_callers_over_grpc(address: Address) -> None:
    message = a_message("churn")
    message.inputs[0].contents.fp32_contents[:] = [3e38] * 4
    with a_caller(address) as caller:
        caller.check("ModelInfer", message.SerializeToString())


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
