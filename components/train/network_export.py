# SPDX-License-Identifier: Apache-2.0
"""A fitted network as bytes: ONNX, and torch's own `.pt2`. Equal networks give equal bytes, without paths or versions.

Imports torch, so only functions of `components.train.network` import it.
"""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from components.train.network_layers import Layers
from kelp.errors import IntegrityError
from kelp.frame.session import onnx_runtime
from kelp.frame.transform import Matrix

_OPSET = 20
_NOTES = ("doc_string", "metadata_props", "producer_name", "producer_version", "value_info")
_NEAR = 1e-5  # |difference| <= this + this * |score|
_CHATTY = "torch.onnx._internal.exporter._registration"  # warns that torchvision is not installed


def exported(network: Layers) -> Any:
    """The network as a `torch.export.ExportedProgram` without the places in files that its steps come from."""
    rows = torch.zeros(2, network.layout.width)
    with _quiet():
        program = torch.export.export(network.cpu().eval(), (rows,), dynamic_shapes=({0: torch.export.Dim("n")},))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    return program


def to_onnx(program: Any, network: Layers, sample: Matrix) -> bytes:
    """Write ONNX, and hold its answers for `sample` against the network's.

    Raises:
        IntegrityError: ONNX Runtime answers something else than torch.
    """
    import onnx

    with _quiet():
        result = torch.onnx.export(
            program, dynamo=True, input_names=["rows"], output_names=["score"], opset_version=_OPSET, verbose=False
        )
    assert result is not None  # with dynamo it never is
    model = onnx.ModelProto.FromString(result.model_proto.SerializeToString())
    _strip(model)
    content: bytes = model.SerializeToString(deterministic=True)
    _compare(content, network, sample)
    return content


def to_pt2(program: Any) -> bytes:
    """Write what `torch.export.load` reads."""
    file = io.BytesIO()
    with _quiet():
        torch.export.save(program, file)
    return file.getvalue()


def _strip(message: Any) -> None:
    """Remove every doc string, note and intermediate shape, and name the open dimension `n`."""
    for field, value in message.ListFields():
        if field.name in _NOTES:
            message.ClearField(field.name)
        elif field.name == "dim_param":
            message.dim_param = "n"
        elif field.message_type is not None:
            for part in value if field.is_repeated else [value]:
                _strip(part)


def _compare(content: bytes, network: Layers, sample: Matrix) -> None:
    session = onnx_runtime().InferenceSession(content, providers=["CPUExecutionProvider"])
    found = session.run(["score"], {"rows": sample})[0]
    with torch.no_grad():
        expected = network(torch.from_numpy(sample)).numpy()
    if found.shape != expected.shape or not np.allclose(found, expected, rtol=_NEAR, atol=_NEAR):
        raise IntegrityError(
            "expected ONNX Runtime to answer as torch does, found other scores",
            place="model.onnx",
            fix="check that torch, onnxscript and onnxruntime have the versions of constraints.txt",
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's words about itself out of the log and the warnings."""
    logger = logging.getLogger(_CHATTY)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)` is deprecated")
            yield
    finally:
        logger.setLevel(level)
