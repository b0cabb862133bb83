# SPDX-License-Identifier: Apache-2.0
"""A small payments model: its transform, and a version directory with an ONNX graph made by hand."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from onnx import TensorProto, helper

from kelp.frame.rows import columns_from_instances
from kelp.frame.scorer import Scorer
from kelp.frame.transform import Feature, RawColumn, Transform

CLASSES = {"binary": ("false", "true"), "multiclass": ("high", "low", "none"), "regression": ()}


@pytest.fixture
def payments() -> Transform:
    return Transform(
        task="binary",
        classes=("false", "true"),
        columns=(
            RawColumn(name="amount", type="float", nullable=True, min=0),
            RawColumn(name="items", type="int", nullable=False, min=1, max=100),
            RawColumn(name="is_foreign", type="bool", nullable=True),
            RawColumn(name="merchant", type="category", nullable=True),
            RawColumn(name="at", type="timestamp", nullable=True),
        ),
        features=(
            Feature(name="amount", column="amount", kind="number", fill=20.5),
            Feature(name="items", column="items", kind="number", fill=1),
            Feature(name="is_foreign", column="is_foreign", kind="number", fill=0),
            Feature(name="merchant", column="merchant", kind="category", fill=0, categories=("café", "shop")),
            Feature(name="at_hour", column="at", kind="hour", fill=12),
            Feature(name="at_weekday", column="at", kind="weekday", fill=3),
            Feature(name="at_month", column="at", kind="month", fill=6),
        ),
    )


WriteVersion = Callable[[Transform], Path]


@pytest.fixture
def write_version(tmp_path: Path) -> WriteVersion:
    """Write a version directory whose model answers sigmoid(sum / 100), softmax(shares) or the sum."""

    def write(transform: Transform) -> Path:
        (tmp_path / "transform.json").write_text(transform.to_json(), encoding="utf-8")
        (tmp_path / "model.onnx").write_bytes(onnx_model(transform))
        scorer = Scorer.load(tmp_path)
        names = [column.name for column in transform.columns]
        rows = [[10.0, 1, True, "shop", "2024-05-01T10:00:00Z"], [None, 99, None, None, None]]
        scores = scorer.score_columns(columns_from_instances(transform, rows)).reshape(len(rows), -1)
        golden = {"columns": names, "rows": rows, "scores": scores.tolist()}
        (tmp_path / "golden.json").write_text(json.dumps(golden), encoding="utf-8")
        return tmp_path

    return write


def onnx_model(transform: Transform) -> bytes:
    """A linear model as ONNX bytes; multiclass gives the three classes the weights 1, 2 and 3."""
    width = transform.width
    is_multiclass = transform.task == "multiclass"
    outputs = len(transform.classes) if is_multiclass else 1
    weights = [float(output + 1) / 100 for _ in range(width) for output in range(outputs)]
    steps = [helper.make_node("MatMul", ["rows", "weights"], ["sum"])]
    if is_multiclass:
        steps.append(helper.make_node("Softmax", ["sum"], ["score"], axis=1))
    else:
        steps.append(helper.make_node("Reshape", ["sum", "flat"], ["value"]))
        last = "Sigmoid" if transform.task == "binary" else "Identity"
        steps.append(helper.make_node(last, ["value"], ["score"]))
    graph = helper.make_graph(
        steps,
        "hand made",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, outputs] if is_multiclass else [None])],
        [
            helper.make_tensor("weights", TensorProto.FLOAT, [width, outputs], weights),
            helper.make_tensor("flat", TensorProto.INT64, [1], [-1]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def with_task(transform: Transform, task: str) -> Transform:
    return Transform.model_validate({**transform.model_dump(), "task": task, "classes": CLASSES[task]})
