# SPDX-License-Identifier: Apache-2.0
"""Export a booster to the one ONNX shape that kelp serves: `rows` [n, width] in, `score` out.

The graph is the same bytes for the same booster: its name is fixed and nothing in it knows the time.
"""

from pathlib import Path
from typing import Any

from kelp.frame.transform import Transform

OPSET = 15


def export_onnx(booster_file: Path, transform: Transform, target: Path) -> None:
    """Write `target`: input `rows` float32 [n, width], output `score`.

    `score` is the positive's probability [n] for a binary task, each class's [n, classes] for a multiclass one,
    and the value [n] for a regression.
    """
    import onnx
    import xgboost
    from onnxmltools.convert import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    booster = xgboost.Booster(model_file=booster_file)
    inputs = [("rows", FloatTensorType([None, transform.width]))]
    model = convert_xgboost(booster, name="kelp", initial_types=inputs, target_opset=OPSET)
    _score_only(model.graph, transform.task)
    if not any(opset.domain == "" for opset in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    model.doc_string = ""
    onnx.checker.check_model(model)
    target.write_bytes(model.SerializeToString(deterministic=True))


def _score_only(graph: Any, task: str) -> None:
    """Replace the converter's outputs by the one named `score`."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    last = graph.output[-1].name
    if task == "binary":
        graph.initializer.append(numpy_helper.from_array(np.array(1, dtype=np.int64), "positive"))
        graph.node.append(helper.make_node("Gather", [last, "positive"], ["score"], axis=1))
    elif task == "multiclass":
        graph.node.append(helper.make_node("Identity", [last], ["score"]))
    else:
        graph.initializer.append(numpy_helper.from_array(np.array([-1], dtype=np.int64), "flat"))
        graph.node.append(helper.make_node("Reshape", [last, "flat"], ["score"]))
    shape = [None, None] if task == "multiclass" else [None]
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("score", TensorProto.FLOAT, shape))
