# SPDX-License-Identifier: Apache-2.0
"""A watched connection over gRPC, and builders of messages that nobody would write: a method and the bytes to send it.
`test_fuzz_grpc` and `test_grpc` send them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import grpc
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from tests.local.serving.conftest import Address
from tests.local.serving.mutation import DATATYPES, PACKED, TEXT, damaged
from tests.local.serving.raw_connection import SCORE


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
