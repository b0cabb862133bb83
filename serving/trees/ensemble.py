# SPDX-License-Identifier: Apache-2.0
"""The trees of a model.onnx in the order in which `_kernel.Forest` takes them; None for a model that we do not know."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelp.errors import IntegrityError
from kelp.frame.scorer import RESTORE
from serving.trees.graph import Floats, Integers, Post, Trees, trees_from_onnx
from serving.trees.wire import MODES, Unknown

MAX_WIDTH = 4095  # as in _kernel.c
_MAX_STEP = np.iinfo(np.uint16).max
_MAX_NODES = np.iinfo(np.int32).max
_HEAD = 4096  # bytes; an ensemble is the first operator of its graph, and its name comes early
_LEAF, _, _LEQ = MODES


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Trees side by side, each level by level; the second of two siblings follows the first.

    Attributes:
        thresholds: float32, shape (nodes,); of a leaf, its value.
        features: uint16, likewise; of a leaf, `width`.
        steps: uint16, likewise: from a node to its child for values that are not less than its threshold, after which
            the child for values that are less comes; 0 at a leaf.
        roots, depths, targets: int32, shape (trees,): the first node; steps to the deepest leaf; what it adds to.
        base: float32, shape (targets,), is added to the leaves.
        width: features of a row; a matrix NEVER holds NaN, which `Transform` fills.
        post: what is done with the sums.
        is_flat: whether the answer has shape (n,), not (n, targets).
    """

    thresholds: Floats
    features: NDArray[np.uint16]
    steps: NDArray[np.uint16]
    roots: NDArray[np.int32]
    depths: NDArray[np.int32]
    targets: NDArray[np.int32]
    base: Floats
    width: int
    post: Post
    is_flat: bool


def read_ensemble(path: Path, width: int) -> Ensemble | None:
    """Read a model.onnx that takes `width` features; None if it is not trees as we know them.

    Raises:
        IntegrityError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            content = head + file.read() if b"TreeEnsemble" in head else b""  # networks may be large
    except OSError as error:
        raise IntegrityError(f"cannot be read ({error.strerror})", place=str(path), fix=RESTORE) from error
    return ensemble_from_onnx(content, width)


def ensemble_from_onnx(content: bytes, width: int) -> Ensemble | None:
    """As `read_ensemble`, from the bytes."""
    try:
        return _ensemble(trees_from_onnx(content), width)
    except Unknown:
        return None


def _ensemble(trees: Trees, width: int) -> Ensemble:
    starts, true, false = _links(trees, width)
    is_leaf = trees.modes == _LEAF
    values, targets = _leaves(trees, starts, is_leaf)
    order, depths = _by_level(trees.tree_ids, starts, is_leaf, np.stack([false, true], axis=1))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    steps = np.where(is_leaf, 0, place[false] - place)[order]
    if steps.max() > _MAX_STEP:
        raise Unknown("a level of a tree that is too wide")
    thresholds = np.where(is_leaf, values, _thresholds(trees))
    return Ensemble(
        thresholds=thresholds[order],
        features=np.where(is_leaf, width, trees.features)[order].astype(np.uint16),
        steps=steps.astype(np.uint16),
        roots=starts.astype(np.int32),
        depths=depths.astype(np.int32),
        targets=targets.astype(np.int32),
        base=trees.base,
        width=width,
        post=trees.post,
        is_flat=trees.is_flat,
    )


def _links(trees: Trees, width: int) -> tuple[Integers, Integers, Integers]:
    """The first node of each tree, and the children of each node (itself at a leaf), as positions in the lists."""
    count = len(trees.tree_ids)
    is_leaf = trees.modes == _LEAF
    nodes = (trees.node_ids, trees.modes, trees.features, trees.values, trees.true_ids, trees.false_ids)
    if not 1 <= count <= _MAX_NODES or any(len(array) != count for array in nodes):
        raise Unknown("attributes of nodes of different lengths")
    if not 1 <= width <= MAX_WIDTH or ((trees.features < 0) | (trees.features >= width))[~is_leaf].any():
        raise Unknown("a feature that a row has not, or a row that is too wide")
    starts = np.flatnonzero(np.concatenate([[True], trees.tree_ids[1:] != trees.tree_ids[:-1]]))
    sizes = np.diff(starts, append=count)
    first, size = np.repeat(starts, sizes), np.repeat(sizes, sizes)
    position = np.arange(count)
    is_listed = (trees.node_ids == position - first).all() and len(set(trees.tree_ids[starts].tolist())) == len(starts)
    if not is_listed:
        raise Unknown("nodes that are not numbered one after the other, tree by tree")
    children = np.stack([trees.true_ids, trees.false_ids])
    if ((children < 0) | (children >= size))[:, ~is_leaf].any():
        raise Unknown("a child outside its tree")
    true, false = np.where(is_leaf, position, children + first)
    parents = np.bincount(np.concatenate([true[~is_leaf], false[~is_leaf]]), minlength=count)
    parents[starts] += 1
    if (parents != 1).any():
        raise Unknown("a node with several parents, or none")
    return starts, true, false


def _leaves(trees: Trees, starts: Integers, is_leaf: NDArray[np.bool_]) -> tuple[Floats, Integers]:
    """The value of each leaf, at its position among the nodes, and the one target of each tree."""
    ids = trees.tree_ids[starts]
    leaves = (trees.leaf_trees, trees.leaf_nodes, trees.leaf_targets, trees.leaf_weights)
    if any(len(array) != is_leaf.sum() for array in leaves):
        raise Unknown("other than one weight for each leaf")
    by_id = np.argsort(ids)
    tree = by_id[np.searchsorted(ids, trees.leaf_trees, sorter=by_id).clip(max=len(ids) - 1)]
    sizes = np.diff(starts, append=len(is_leaf))
    if (ids[tree] != trees.leaf_trees).any() or ((trees.leaf_nodes < 0) | (trees.leaf_nodes >= sizes[tree])).any():
        raise Unknown("a weight of a leaf that is not there")
    position = starts[tree] + trees.leaf_nodes
    if (np.bincount(position, minlength=len(is_leaf)) != is_leaf).any():
        raise Unknown("a weight that is not of a leaf, or of one that has several")
    values = np.zeros(len(is_leaf), dtype=np.float32)
    values[position] = trees.leaf_weights
    targets = np.empty_like(starts)
    targets[tree] = trees.leaf_targets
    if (targets[tree] != trees.leaf_targets).any() or targets.min() < 0 or targets.max() >= len(trees.base):
        raise Unknown("a tree of several targets, or of one that is not there")
    return values, targets


def _by_level(
    tree_ids: Integers, starts: Integers, is_leaf: NDArray[np.bool_], children: Integers
) -> tuple[Integers, Integers]:
    """The order of the nodes, tree by tree and level by level with siblings beside each other, and the depths."""
    tree_of = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(tree_ids)))
    depths = np.zeros(len(starts), dtype=np.int64)
    levels = [starts]
    while len(inner := levels[-1][~is_leaf[levels[-1]]]):
        depths[tree_of[inner]] = len(levels)
        levels.append(children[inner].ravel())
    found = np.concatenate(levels)
    if len(found) != len(tree_ids):
        raise Unknown("a circle")
    return found[np.argsort(tree_of[found], kind="stable")], depths


def _thresholds(trees: Trees) -> Floats:
    """Those of `value < threshold`; for the numbers there are, at most a threshold is less than the next one."""
    with np.errstate(over="ignore"):
        above = np.nextafter(trees.values, np.float32(np.inf))
    return np.where(trees.modes == _LEQ, above, trees.values)
