# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime as kelp uses it: without its telemetry, and one session on one thread.

A server runs several processes rather than several threads a request.
"""

import os
from pathlib import Path
from typing import Any

from kelp.errors import IntegrityError

_RESTORE = "restore the file from the registry, or package the model again"


def onnx_runtime() -> Any:
    """The package onnxruntime. NEVER import it otherwise.

    Its wheels, from 1.32 on, write a device id and a database of events into the user's home when they are imported,
    and send them to Microsoft; the one switch that comes early enough is this variable (Privacy.md in the wheel).
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


def open_session(path: Path, width: int) -> Any:
    """An ONNX Runtime session on one CPU thread; its input takes `width` features, and it has an output `score`.

    Raises:
        IntegrityError: the file is missing, no ONNX model, or has another input or no such output.
    """
    onnxruntime = onnx_runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # the arena keeps what the largest batch took
    options.log_severity_level = 3  # errors only; they are raised as well
    try:
        content = path.read_bytes()
    except OSError as error:
        raise IntegrityError(f"cannot be read ({error.strerror})", place=str(path), fix=_RESTORE) from error
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors share no base class but this
        raise IntegrityError(f"is not an ONNX model: {error}", place=str(path), fix=_RESTORE) from error
    inputs = [(node.name, node.type, node.shape[-1:]) for node in session.get_inputs()]
    if inputs != [("rows", "tensor(float)", [width])]:
        raise IntegrityError(
            f"expected the one input rows, float32 [n, {width}] as in transform.json, found {inputs}",
            place=str(path),
            fix=_RESTORE,
        )
    outputs = [node.name for node in session.get_outputs()]
    if "score" not in outputs:
        raise IntegrityError(f"expected an output score, found {outputs}", place=str(path), fix=_RESTORE)
    return session
