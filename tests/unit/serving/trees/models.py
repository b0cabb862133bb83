# SPDX-License-Identifier: Apache-2.0
"""Models of random trees, as ONNX, and rows that meet their thresholds."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from kelp.frame.session import onnx_runtime
from kelp.frame.transform import Matrix
from serving.trees.ensemble import Ensemble, ensemble_from_onnx
from serving.trees.graph import Floats
from serving.trees.session import TreeSession, compiled

Kind = Literal["regression", "binary", "multiclass", "several"]
KINDS: tuple[Kind, ...] = ("regression", "binary", "multiclass", "several")
TARGETS = {"regression": 1, "binary": 1, "multiclass": 4, "several": 3}
GRID = np.array([-2.5, -1.0, -0.0, 0.0, 1e-30, 0.1, 1.0, 3e38], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Shape:
    """What random trees are like; the deeper, the more often a branch ends early."""

    kind: Kind = "regression"
    trees: int = 7
    depth: int = 4
    width: int = 5
    branches: tuple[str, ...] = ("BRANCH_LT",)
    has_base: bool = True
    seed: int = 1


@dataclass(slots=True)
class _Lists:
    random: np.random.Generator
    shape: Shape
    nodes: list[tuple[Any, ...]] = field(default_factory=list)  # treeid, nodeid, mode, featureid, value, true, false
    leaves: list[tuple[Any, ...]] = field(default_factory=list)  # treeid, nodeid, id, weight

    def grow(self, tree: int, node: int, depth: int) -> int:
        """Add a node and all below it, in the order in which XGBoost's converter does; returns the next free id."""
        place, random = len(self.nodes), self.random
        if depth == 0 or random.random() < 0.15:
            self.nodes.append((tree, node, "LEAF", 0, 0.0, 0, 0))
            self.leaves.append((tree, node, tree % TARGETS[self.shape.kind], float(np.float32(random.normal()))))
            return node + 1
        self.nodes.append(())
        false = self.grow(tree, node + 1, depth - 1)
        end = self.grow(tree, false, depth - 1)
        value = random.choice(GRID) if random.random() < 0.6 else np.float32(random.normal())
        mode, feature = random.choice(self.shape.branches), int(random.integers(self.shape.width))
        self.nodes[place] = (tree, node, str(mode), feature, float(value), node + 1, false)
        return end


def a_model(shape: Shape) -> onnx.ModelProto:
    """Random trees in the graph that kelp exports for the kind; of `several`, in one with three targets."""
    lists = _Lists(np.random.default_rng(shape.seed), shape)
    for tree in range(max(shape.trees, TARGETS[shape.kind])):
        lists.grow(tree, 0, shape.depth)
    nodes = ("treeids", "nodeids", "modes", "featureids", "values", "truenodeids", "falsenodeids")
    attributes: dict[str, Any] = {
        f"nodes_{name}": list(values) for name, values in zip(nodes, zip(*lists.nodes, strict=True), strict=True)
    }
    attributes["nodes_missing_value_tracks_true"] = [0] * len(lists.nodes)
    prefix = "class" if shape.kind == "multiclass" else "target"
    leaves = ("treeids", "nodeids", "ids", "weights")
    for name, values in zip(leaves, zip(*lists.leaves, strict=True), strict=True):
        attributes[f"{prefix}_{name}"] = list(values)
    if shape.has_base:
        attributes["base_values"] = [float(value) for value in lists.random.normal(size=TARGETS[shape.kind])]
    return _model(shape, attributes)


def _model(shape: Shape, attributes: dict[str, Any]) -> onnx.ModelProto:
    if shape.kind == "multiclass":
        attributes |= {"classlabels_int64s": list(range(TARGETS[shape.kind])), "post_transform": "SOFTMAX"}
        outputs = ["label", "probabilities"]
    else:
        attributes |= {"n_targets": TARGETS[shape.kind]}
        outputs = ["sums"]
    operator = "TreeEnsembleClassifier" if shape.kind == "multiclass" else "TreeEnsembleRegressor"
    nodes = [helper.make_node(operator, ["rows"], outputs, domain="ai.onnx.ml", **attributes)]
    flat = [numpy_helper.from_array(np.array([-1], dtype=np.int64), "flat")]
    if shape.kind == "binary":
        nodes.append(helper.make_node("Sigmoid", ["sums"], ["probability"]))
    if TARGETS[shape.kind] == 1:
        nodes.append(helper.make_node("Reshape", [nodes[-1].output[0], "flat"], ["score"]))
    else:
        nodes.append(helper.make_node("Identity", [nodes[-1].output[-1]], ["score"]))
    rows = helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, shape.width])
    score = helper.make_tensor_value_info("score", TensorProto.FLOAT, [None] * (1 if TARGETS[shape.kind] == 1 else 2))
    graph = helper.make_graph(nodes, "kelp", [rows], [score], flat if TARGETS[shape.kind] == 1 else [])
    opsets = [helper.make_opsetid("ai.onnx.ml", 1), helper.make_opsetid("", 15)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def rows_for(shape: Shape, count: int) -> Matrix:
    """Rows with thresholds of the grid among their values, and with no NaN and no infinity."""
    random = np.random.default_rng(shape.seed + 1)
    values = random.normal(size=(count, shape.width)).astype(np.float32)
    return np.where(random.random(values.shape) < 0.4, random.choice(GRID, values.shape), values)


def by_onnx(content: bytes, rows: Matrix) -> NDArray[np.float32]:
    """ONNX Runtime's scores."""
    return np.asarray(onnx_session(content).run(["score"], {"rows": rows})[0])


def onnx_session(content: bytes) -> Any:
    """A session on one thread, as kelp's are."""
    runtime = onnx_runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def the_ensemble(content: bytes, width: int) -> Ensemble:
    """The trees of a model that is known."""
    found = ensemble_from_onnx(content, width)
    assert found is not None
    return found


def by_kernel(content: bytes, rows: Matrix) -> Floats:
    """The kernel's scores of a model that is known."""
    ensemble = the_ensemble(content, rows.shape[1])
    make = compiled()
    assert make is not None, "the compiled kernel is missing: install a C compiler, then kelp again"
    return TreeSession(ensemble, make(ensemble)).run(["score"], {"rows": rows})[0]
