# SPDX-License-Identifier: Apache-2.0
"""The same closed loop over gRPC: each of the connections sends the next call when its answer is complete."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import uvloop
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from bench.load import WARM_UP_S, Load

_METHOD = "/inference.GRPCInferenceService/ModelInfer"


def grpc_message(model: str, rows: Any) -> bytes:
    """A ModelInferRequest of float32 rows of shape (n, width), as bytes in its raw contents."""
    tensor = pb.ModelInferRequest.InferInputTensor(name="rows", datatype="FP32", shape=rows.shape)
    message = pb.ModelInferRequest(model_name=model, inputs=[tensor], raw_input_contents=[rows.tobytes()])
    return bytes(message.SerializeToString())


def grpc_scores(answer: bytes) -> list[float]:
    """The scores in a ModelInferResponse."""
    message = pb.ModelInferResponse.FromString(answer)
    (output,) = [output for output in message.outputs if output.name == "score"]
    if message.raw_output_contents:
        raw = message.raw_output_contents[list(message.outputs).index(output)]
        return np.frombuffer(raw, "<f8" if output.datatype == "FP64" else "<f4").tolist()
    return list(output.contents.fp64_contents or output.contents.fp32_contents)


def grpc_ask(port: int, message: bytes) -> bytes:
    """The answer to one call."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        return bytes(channel.unary_unary(_METHOD)(message, timeout=30))


def measure_grpc(port: int, message: bytes, clock: Callable[[], float], *, connections: int, seconds: float) -> Load:
    """As `bench.load.measure`; the messages stay bytes on this side, so that it is the server that is measured."""
    return uvloop.run(_measure(port, message, clock, connections, seconds))


async def _measure(port: int, message: bytes, clock: Callable[[], float], connections: int, seconds: float) -> Load:
    latencies: list[float] = []
    until = float("inf")

    async def calls(channel: Any) -> None:
        method = channel.unary_unary(_METHOD)
        while time.perf_counter() < until:
            sent = time.perf_counter()
            await method(message)
            latencies.append(time.perf_counter() - sent)

    options = (("grpc.use_local_subchannel_pool", 1),)  # a connection a channel
    channels = [grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) for _ in range(connections)]
    tasks = [asyncio.create_task(calls(channel)) for channel in channels]
    await asyncio.sleep(WARM_UP_S)
    latencies.clear()
    start, start_cpu = time.perf_counter(), clock()
    await asyncio.sleep(seconds)
    elapsed, cpu, found = time.perf_counter() - start, clock() - start_cpu, list(latencies)
    until = 0.0
    await asyncio.gather(*tasks)
    for channel in channels:
        await channel.close()
    p50, p99 = np.percentile(np.array(found) * 1000, [50, 99])
    return Load(len(found) / elapsed, float(p50), float(p99), 0, cpu / len(found) * 1e6)
