# SPDX-License-Identifier: Apache-2.0
"""From the bytes of a model.onnx to the trees in it, for the few graphs whose answer we know to the last operator.

These are the graphs that `components.train.boosting_onnx` writes, and those of the same parts: one ensemble of trees
over `rows`, then Sigmoid, Identity and Reshape to [-1], and the last output is `score`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from serving.trees.wire import Unknown, attribute, fields, floats, integer, ints, modes, text

Post = Literal["none", "sigmoid", "softmax"]
Integers = NDArray[np.int64]
Floats = NDArray[np.float32]

_REGRESSOR, _CLASSIFIER = ("ai.onnx.ml", "TreeEnsembleRegressor"), ("ai.onnx.ml", "TreeEnsembleClassifier")
_SIGMOID, _IDENTITY, _RESHAPE = ("", "Sigmoid"), ("", "Identity"), ("", "Reshape")
_AFTER: dict[tuple[tuple[str, str], ...], tuple[Post, bool]] = {  # what a regressor is followed by: post and is_flat
    (): ("none", False),
    (_RESHAPE,): ("none", True),
    (_SIGMOID,): ("sigmoid", False),
    (_SIGMOID, _RESHAPE): ("sigmoid", True),
}
_FLAT = {1: 1, 2: 7, 9: b"\xff" * 8}  # the tensor [-1]: its shape, the type int64, its bytes

_Decode = Callable[[memoryview], Any]
_NODES: dict[str, tuple[str, _Decode]] = {
    "nodes_treeids": ("tree_ids", ints),
    "nodes_nodeids": ("node_ids", ints),
    "nodes_modes": ("modes", modes),
    "nodes_featureids": ("features", ints),
    "nodes_values": ("values", floats),
    "nodes_truenodeids": ("true_ids", ints),
    "nodes_falsenodeids": ("false_ids", ints),
}
_LEAVES: dict[str, tuple[str, _Decode]] = {
    "treeids": ("leaf_trees", ints),
    "nodeids": ("leaf_nodes", ints),
    "ids": ("leaf_targets", ints),
    "weights": ("leaf_weights", floats),
}
# How often training rows came by, and where a NaN goes: `Transform` leaves no NaN in a matrix.
_WITHOUT_EFFECT = {"nodes_hitrates", "nodes_missing_value_tracks_true"}
_OTHERS = {"base_values", "post_transform"}
# How leaves' attributes begin, the attribute that says how many targets there are, and the transform inside.
_TARGETS, _CLASSES = ("target_", "n_targets", "NONE"), ("class_", "classlabels_int64s", "SOFTMAX")


@dataclass(frozen=True, slots=True)
class Trees:
    """Nodes and leaves as ONNX lists them; nothing about them is checked but their form.

    Attributes:
        tree_ids, node_ids, modes, features, values, true_ids, false_ids: of the nodes; modes are keys of `MODES`.
        leaf_trees, leaf_nodes, leaf_targets, leaf_weights: of the leaves.
        base: shape (targets,), added after the leaves.
        post: what follows upon the sums.
        is_flat: whether the answer has shape (n,), not (n, targets).
    """

    tree_ids: Integers
    node_ids: Integers
    modes: NDArray[np.uint8]
    features: Integers
    values: Floats
    true_ids: Integers
    false_ids: Integers
    leaf_trees: Integers
    leaf_nodes: Integers
    leaf_targets: Integers
    leaf_weights: Floats
    base: Floats
    post: Post
    is_flat: bool


@dataclass(frozen=True, slots=True)
class _Node:
    kind: tuple[str, str]  # the operator's domain and name
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, memoryview]


def trees_from_onnx(content: bytes) -> Trees:
    """Read the trees of a model whose one input is `rows`.

    Raises:
        Unknown: the model holds anything else.
    """
    nodes, shapes = _graph(memoryview(content))
    if not nodes or nodes[0].kind not in (_REGRESSOR, _CLASSIFIER) or nodes[0].inputs != ("rows",):
        raise Unknown("another operator than trees over rows")
    is_classifier = nodes[0].kind == _CLASSIFIER
    output = nodes[0].outputs[1 if is_classifier else 0 :][:1]
    for node in nodes[1:]:
        inputs = output + (shapes if node.kind == _RESHAPE else ())
        if node.inputs != inputs or len(node.outputs) != 1 or node.attributes:
            raise Unknown(f"{node.kind[1]} with inputs, outputs or attributes that do not fit")
        output = node.outputs
    after = tuple(node.kind for node in nodes[1:] if node.kind != _IDENTITY)
    if output != ("score",) or after not in _AFTER or (is_classifier and after):
        raise Unknown("other operators than expected between the trees and score")
    post, is_flat = _AFTER[after]
    trees = _trees(nodes[0].attributes, is_classifier, post, is_flat)
    if is_flat and len(trees.base) != 1:
        raise Unknown("several targets in one column")
    return trees


def _graph(data: memoryview) -> tuple[list[_Node], tuple[str, ...]]:
    """The nodes, and the names of the initializers, each of which is the shape [-1]."""
    (graph,) = _parts(data, {7: 1}, {1, 2, 3, 4, 5, 6, 8, 14})[7]  # without versions, names, documentation, metadata
    parts = _parts(graph, {1: None, 5: None}, {2, 10, 11, 12, 13, 16})  # without names, documentation, types, metadata
    return [_node(node) for node in parts[1]], tuple(map(_shape, parts[5]))


def _parts(data: memoryview, wanted: Mapping[int, int | None], ignored: set[int]) -> dict[int, list[memoryview]]:
    """The messages and strings of a message, by number; each MUST be there as often as is said, or any number of times.

    Raises:
        Unknown: another number of them, or another field.
    """
    found: dict[int, list[memoryview]] = {number: [] for number in wanted}
    for number, value in fields(data):
        if number in wanted and not isinstance(value, int):
            found[number].append(value)
        elif number not in ignored:
            raise Unknown(f"field {number} of a message")
    if any(count is not None and len(found[number]) != count for number, count in wanted.items()):
        raise Unknown("a part that is missing, or there twice")
    return found


def _shape(tensor: memoryview) -> str:
    found = list(fields(tensor))
    values = dict(found)
    name = values.pop(8, 0)
    if isinstance(name, int) or len(found) != len(_FLAT) + 1 or values != _FLAT:
        raise Unknown("another initializer than the shape [-1]")
    return _string(name)


def _node(data: memoryview) -> _Node:
    parts = _parts(data, {1: None, 2: None, 4: 1, 5: None, 7: None}, {3, 6, 9})  # without name, documentation, metadata
    attributes = [attribute(value) for value in parts[5]]
    if len(dict(attributes)) != len(attributes):
        raise Unknown("an attribute that is there twice")
    domain, operator = "".join(map(_string, parts[7])), _string(parts[4][0])
    return _Node((domain, operator), _strings(parts[1]), _strings(parts[2]), dict(attributes))


def _trees(given: dict[str, memoryview], is_classifier: bool, post: Post, is_flat: bool) -> Trees:
    prefix, sized, own_post = _CLASSES if is_classifier else _TARGETS
    decoders = {**_NODES, **{prefix + name: decoder for name, decoder in _LEAVES.items()}}
    if not {*decoders, sized} <= set(given) <= {*decoders, sized, *_WITHOUT_EFFECT, *_OTHERS}:
        raise Unknown(f"the attributes {sorted(given)}")
    if (text(given["post_transform"]) if "post_transform" in given else "NONE") != own_post:
        raise Unknown("a transform of its own")
    arrays = {name: decode(given[key]) for key, (name, decode) in decoders.items()}
    targets = len(ints(given[sized])) if is_classifier else integer(given[sized])
    if not (3 if is_classifier else 1) <= targets <= len(arrays["leaf_targets"]):
        raise Unknown(f"{targets} targets; the two of a classifier are added up in a way of their own")
    base = floats(given["base_values"]) if "base_values" in given else np.zeros(targets, np.float32)
    if len(base) != targets:
        raise Unknown(f"{len(base)} base values for {targets} targets")
    return Trees(**arrays, base=base, post="softmax" if is_classifier else post, is_flat=is_flat)


def _strings(data: list[memoryview]) -> tuple[str, ...]:
    return tuple(map(_string, data))


def _string(data: memoryview) -> str:
    return str(data, "utf-8", "replace")
