# SPDX-License-Identifier: Apache-2.0
"""Export a booster to the one ONNX shape that kelp serves: `rows` [n, width] in, `score` out.

The graph is the same bytes for the same booster: its name is fixed and nothing in it knows the time.
"""

from typing import Any

import numpy as np

from kelp.errors import IntegrityError
from kelp.frame.session import onnx_runtime
from kelp.frame.transform import Transform
from kelp.trainer import Rows

OPSET = 15
TOLERANCE = 1e-5
SAMPLE_ROWS = 5_000


def export_onnx(booster: Any, transform: Transform) -> bytes:
    """Convert the trees; `score` has the shape that `kelp.trainer.Trainer.to_onnx` promises."""
    import onnx
    from onnxmltools.convert import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    inputs = [("rows", FloatTensorType([None, transform.width]))]
    model = convert_xgboost(booster, name="kelp", initial_types=inputs, target_opset=OPSET)
    _score_only(model.graph, transform)
    if not any(opset.domain == "" for opset in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    model.doc_string = ""
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _score_only(graph: Any, transform: Transform) -> None:
    """Replace the converter's outputs by the one named `score`."""
    from onnx import TensorProto, helper, numpy_helper

    if transform.task == "binary":
        _sum_margins(graph)
    last = graph.output[-1].name
    if transform.is_multiclass:
        graph.node.append(helper.make_node("Identity", [last], ["score"]))
    elif transform.task == "binary" and graph.node[-1].op_type != "Sigmoid":
        graph.initializer.append(numpy_helper.from_array(np.array(1, dtype=np.int64), "positive"))
        graph.node.append(helper.make_node("Gather", [last, "positive"], ["score"], axis=1))
    else:
        graph.initializer.append(numpy_helper.from_array(np.array([-1], dtype=np.int64), "flat"))
        graph.node.append(helper.make_node("Reshape", [last, "flat"], ["score"]))
    shape = [None, None] if transform.is_multiclass else [None]
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("score", TensorProto.FLOAT, shape))


def _sum_margins(graph: Any) -> None:
    """Let a regressor add up the margins of a logistic classifier, and a sigmoid follow.

    ONNX Runtime's classifier of two classes answers the same, at three times the cost for one row.
    """
    from onnx import helper

    (trees,) = graph.node
    found = {attribute.name: helper.get_attribute_value(attribute) for attribute in trees.attribute}
    if trees.op_type != "TreeEnsembleClassifier" or found["post_transform"] != b"LOGISTIC":
        return
    kept = {name: value for name, value in found.items() if name.startswith("nodes_")}
    targets = {f"target_{name}": found[f"class_{name}"] for name in ("nodeids", "treeids", "weights")}
    regressor = helper.make_node(
        "TreeEnsembleRegressor",
        list(trees.input),
        ["margin"],
        domain=trees.domain,
        n_targets=1,
        base_values=found.get("base_values", [0.0])[-1:],
        target_ids=[0] * len(found["class_ids"]),
        **kept,
        **targets,
    )
    probability = graph.output[-1].name
    graph.node.remove(trees)
    graph.node.extend([regressor, helper.make_node("Sigmoid", ["margin"], [probability])])


def check_export(content: bytes, booster: Any, transform: Transform, rows: Rows) -> None:
    """Hold the exported model against the booster on the first rows.

    Raises:
        IntegrityError: an answer differs by more than `TOLERANCE` of the largest one, or of 1 if that is more.
    """
    matrix, _ = next(rows.batches(SAMPLE_ROWS))
    expected = booster.inplace_predict(matrix)
    session = onnx_runtime().InferenceSession(content, providers=["CPUExecutionProvider"])
    scores = session.run(["score"], {"rows": matrix})[0]
    # Trees are added up in float32: where they cancel out, the error is as large as elsewhere, and the score is not.
    difference = float(np.max(np.abs(scores - expected)) / max(1.0, float(np.max(np.abs(expected)))))
    if difference > TOLERANCE:
        raise IntegrityError(
            f"expected the ONNX model to answer as the trained one within {TOLERANCE:g}, found {difference:g}",
            place="model.onnx",
            fix="report it with spec.train.params: the export does not support one of them",
        )
