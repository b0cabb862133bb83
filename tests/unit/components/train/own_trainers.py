# SPDX-License-Identifier: Apache-2.0
"""Trainers of a user, right and wrong: `tests.unit.components.train.own_trainers:<name>`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from kelp.errors import InputError
from kelp.trainer import Training

MODULE = "tests.unit.components.train.own_trainers"
a_number = 3


def a_graph(
    width: int,
    classes: int = 0,
    *,
    rows: str | int = "n",
    names: tuple[str, str] = ("rows", "score"),
    scale: float = 0.0,
    last: str = "Softmax",
) -> bytes:
    """The first feature times `scale` as a score [n], behind a sigmoid; or `classes` of them, behind `last`."""
    count = max(classes, 1)
    weights = np.zeros((width, count), dtype=np.float32)
    weights[0] = np.linspace(scale, 2 * scale, count)
    nodes = [helper.make_node("MatMul", [names[0], "weights"], ["margin"])]
    if classes:
        nodes.append(helper.make_node(last, ["margin"], [names[1]]))
    else:
        nodes += [
            helper.make_node("Reshape", ["margin", "flat"], ["value"]),
            helper.make_node("Sigmoid" if last == "Softmax" else last, ["value"], [names[1]]),
        ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(names[0], TensorProto.FLOAT, [rows, width])],
        [helper.make_tensor_value_info(names[1], TensorProto.FLOAT, ["n", classes] if classes else ["n"])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.array([-1]), "flat")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


class Plain:
    """A trainer as short as they come; keeps what it was given."""

    def fit(self, training: Training) -> Mapping[str, Any]:
        self.training = training
        return {"validation": 0.5}

    def to_onnx(self) -> bytes:
        transform = self.training.transform
        return a_graph(transform.width, len(transform.classes) if transform.is_multiclass else 0, scale=1.0)


class Full(Plain):
    """With every method there is; the best rate is 0.3."""

    def fit(self, training: Training) -> Mapping[str, Any]:
        self.training = training
        rate = training.params.get("rate", 1.0)
        if rate > 0.8:
            raise ValueError(f"a rate of {rate} is too much\nfor me")
        facts = {"params": {**training.params, "all": True}, "epochs": 4, "warnings": ["a warning of mine"]}
        return {**facts, "validation": np.float64(abs(rate - 0.3)), "importance": {"feature 0": 1}}

    def space(self, trial: Any) -> Mapping[str, Any]:
        return {"rate": trial.suggest_float("rate", 0.0, 1.0), "depth": trial.suggest_int("depth", 1, 3)}

    def files(self) -> Mapping[str, bytes]:
        return {"weights.bin": b"123", "a.txt": b"note"}


class Failing(Full):
    def fit(self, training: Training) -> Mapping[str, Any]:
        raise ZeroDivisionError("nothing by nothing")


class Silent(Full):
    def fit(self, training: Training) -> Mapping[str, Any]:
        self.training = training
        return {}


class Refusing(Plain):
    def fit(self, training: Training) -> Mapping[str, Any]:
        raise InputError("expected a rate", place="spec.train.params.rate", fix="write one")


class NeedsArguments(Plain):
    def __init__(self, depth: int) -> None:
        self.depth = depth


class BreaksWhenMade(Plain):
    def __init__(self) -> None:
        raise KeyError("weights")


class HasNoFit:
    def to_onnx(self) -> bytes:
        return b""


class OneOf(Plain):
    """A trainer whose model is one of those below."""

    model = b""

    def to_onnx(self) -> bytes:
        return self.model


class WrongInput(OneOf):
    model = a_graph(4, names=("input", "score"))


class WrongWidth(OneOf):
    model = a_graph(5)


class WrongOutput(OneOf):
    model = a_graph(4, names=("rows", "probability"))


class WrongShape(OneOf):
    model = a_graph(4, classes=2)


class FixedRows(OneOf):
    model = a_graph(4, rows=7)


class NotANumber(OneOf):
    model = a_graph(4, scale=-1.0, last="Log")


class NoProbability(OneOf):
    model = a_graph(4, scale=5.0, last="Identity")


class SumsToMore(OneOf):
    model = a_graph(4, classes=3, scale=0.1, last="Sigmoid")


def _with_node(node: Any, *more: Any) -> bytes:
    """The graph with its score made by further nodes."""
    model = onnx.load_model_from_string(a_graph(4, scale=1.0))
    model.graph.node[-1].output[0] = "before"
    model.graph.node.extend([node, *more])
    return bytes(model.SerializeToString())


class Random(OneOf):
    model = _with_node(
        helper.make_node("RandomUniformLike", ["before"], ["noise"]),
        helper.make_node("Mul", ["before", "noise"], ["score"]),
    )


class LooksAtOthers(OneOf):
    model = _with_node(
        helper.make_node("ReduceMax", ["before"], ["most"], keepdims=0),
        helper.make_node("Div", ["before", "most"], ["score"]),
    )


def _with_weights_outside() -> bytes:
    model = onnx.load_model_from_string(a_graph(4))
    tensor = model.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, "weights.data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    return bytes(model.SerializeToString())


class WeightsOutside(OneOf):
    model = _with_weights_outside()


class NoOnnx(OneOf):
    model = b"\x80 no model at all"


class EmptyOnnx(OneOf):
    model = b""


class Text(OneOf):
    model = "a path"  # type: ignore[assignment]  # the fault


class Listing(Plain):
    def fit(self, training: Training) -> Mapping[str, Any]:
        return ["validation", 0.5]  # type: ignore[return-value]  # the fault


class Objects(Plain):
    def fit(self, training: Training) -> Mapping[str, Any]:
        return {"history": [object()]}


class NoLoss(Plain):
    def fit(self, training: Training) -> Mapping[str, Any]:
        return {"validation": float("nan")}


class HalfRounds(Plain):
    def fit(self, training: Training) -> Mapping[str, Any]:
        return {"rounds": 2.5}


class Pickled(Plain):
    def files(self) -> Mapping[str, bytes]:
        return {"model.bin": b"\x80\x04K\x01."}


class Elsewhere(Plain):
    def files(self) -> Mapping[str, bytes]:
        return {"../model.bin": b"1"}


class Taken(Plain):
    def files(self) -> Mapping[str, bytes]:
        return {"manifest.json": b"{}"}


class NoBytes(Plain):
    def files(self) -> Mapping[str, bytes]:
        return {"model.bin": "text"}  # type: ignore[dict-item]  # the fault


class Important(Plain):
    def fit(self, training: Training) -> Mapping[str, Any]:
        return {"importance": {"a": "much"}}
