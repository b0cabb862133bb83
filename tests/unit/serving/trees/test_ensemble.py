# SPDX-License-Identifier: Apache-2.0
"""The kernel answers as ONNX Runtime does, whatever the trees; and what is not known exactly is left alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from kelp.errors import IntegrityError
from kelp.frame.scorer import GOLDEN_TOLERANCE
from serving.trees import _kernel
from serving.trees.ensemble import MAX_WIDTH, ensemble_from_onnx, read_ensemble
from tests.unit.serving.trees.models import KINDS, Kind, Shape, a_model, by_kernel, by_onnx, rows_for, the_ensemble

BRANCHES = (("BRANCH_LT",), ("BRANCH_LEQ",), ("BRANCH_LT", "BRANCH_LEQ"))
shapes = st.builds(
    Shape,
    kind=st.sampled_from(KINDS),
    trees=st.integers(1, 40),
    depth=st.integers(0, 9),
    width=st.integers(1, 12),
    branches=st.sampled_from(BRANCHES),
    has_base=st.booleans(),
    seed=st.integers(0, 2**32),
)


@settings(max_examples=150, deadline=None)
@given(shape=shapes, count=st.integers(1, 200))
def test_the_kernel_answers_as_onnx_runtime_does(shape: Shape, count: int) -> None:
    content = a_model(shape).SerializeToString()
    rows = rows_for(shape, count)
    expected, found = by_onnx(content, rows), by_kernel(content, rows)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=GOLDEN_TOLERANCE, atol=GOLDEN_TOLERANCE)


@settings(max_examples=30, deadline=None)
@given(shape=shapes, count=st.integers(1, 40))
def test_a_row_is_answered_alike_in_every_batch_and_layout(shape: Shape, count: int) -> None:
    content = a_model(shape).SerializeToString()
    rows = rows_for(shape, count)
    expected = by_kernel(content, rows)
    for laid_out in (
        np.asfortranarray(rows),
        np.repeat(rows, 2, axis=0)[::2],
        rows[::-1][::-1],
        rows[:, ::-1][:, ::-1],
    ):
        np.testing.assert_array_equal(by_kernel(content, laid_out), expected)
    np.testing.assert_array_equal(by_kernel(content, rows[::-1])[::-1], expected)
    np.testing.assert_array_equal(np.concatenate([by_kernel(content, row[None]) for row in rows]), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_no_rows_give_no_scores(kind: Kind) -> None:
    shape = Shape(kind)
    assert by_kernel(a_model(shape).SerializeToString(), rows_for(shape, 0)).shape[0] == 0


@pytest.mark.parametrize(("branch", "is_less"), [("BRANCH_LT", False), ("BRANCH_LEQ", True)])
@pytest.mark.parametrize("threshold", [-0.0, 0.0, 0.1, -1e-45, 3.4028235e38])
def test_a_value_that_is_the_threshold_goes_where_onnx_says(branch: str, is_less: bool, threshold: float) -> None:
    attributes = one_split(branch, threshold)
    content = with_attributes(a_model(Shape(trees=1, width=1)), attributes).SerializeToString()
    rows = np.array([[threshold], [-threshold]], dtype=np.float32)[: 1 if threshold else 2]
    np.testing.assert_array_equal(by_kernel(content, rows), [1.0 if is_less else 2.0] * len(rows))
    np.testing.assert_array_equal(by_onnx(content, rows), by_kernel(content, rows))


def one_split(branch: str, threshold: float) -> dict[str, Any]:
    return {
        "nodes_treeids": [0, 0, 0],
        "nodes_nodeids": [0, 1, 2],
        "nodes_modes": [branch, "LEAF", "LEAF"],
        "nodes_featureids": [0, 0, 0],
        "nodes_values": [threshold, 0.0, 0.0],
        "nodes_truenodeids": [1, 0, 0],
        "nodes_falsenodeids": [2, 0, 0],
        "nodes_missing_value_tracks_true": [0, 0, 0],
        "target_treeids": [0, 0],
        "target_nodeids": [1, 2],
        "target_ids": [0, 0],
        "target_weights": [1.0, 2.0],
        "base_values": [0.0],
    }


def with_attributes(model: onnx.ModelProto, values: dict[str, Any]) -> onnx.ModelProto:
    """The model, with these attributes of its trees in the place of those of the same name."""
    trees = model.graph.node[0]
    kept = [attribute for attribute in trees.attribute if attribute.name not in values]
    added = [helper.make_attribute(name, value) for name, value in values.items() if value is not None]
    del trees.attribute[:]
    trees.attribute.extend([*kept, *added])
    return model


def value_of(model: onnx.ModelProto, name: str) -> Any:
    return next(helper.get_attribute_value(item) for item in model.graph.node[0].attribute if item.name == name)


def changed(name: str, change: Callable[[Any], Any]) -> Callable[[onnx.ModelProto], None]:
    def edit(model: onnx.ModelProto) -> None:
        with_attributes(model, {name: change(value_of(model, name))})

    return edit


def given_as(**values: Any) -> Callable[[onnx.ModelProto], None]:
    def edit(model: onnx.ModelProto) -> None:
        with_attributes(model, values)

    return edit


def put(position: int, value: Any) -> Callable[[list[Any]], list[Any]]:
    return lambda values: [*values[:position], value, *values[position + 1 :]]


def a_network(model: onnx.ModelProto) -> None:
    weights = numpy_helper.from_array(np.ones((5, 1), dtype=np.float32), "weights")
    del model.graph.node[:]
    model.graph.initializer.append(weights)
    model.graph.node.append(helper.make_node("MatMul", ["rows", "weights"], ["sums"]))
    model.graph.node.append(helper.make_node("Reshape", ["sums", "flat"], ["score"]))


def an_operator_before(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = "positive"
    model.graph.node.insert(0, helper.make_node("Abs", ["rows"], ["positive"]))


def an_operator_after(model: onnx.ModelProto) -> None:
    model.graph.node[-1].output[0] = "flattened"
    model.graph.node.append(helper.make_node("Relu", ["flattened"], ["score"]))


def an_operator_beside(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Identity", ["rows"], ["copy"]))


def an_operator_beside_the_last(model: onnx.ModelProto) -> None:
    model.graph.node.insert(1, helper.make_node("Identity", ["sums"], ["copy"]))


def two_sigmoids(model: onnx.ModelProto) -> None:
    model.graph.node[-1].input[0] = "probability"
    for name, output in (("sums", "once"), ("once", "probability")):
        model.graph.node.insert(len(model.graph.node) - 1, helper.make_node("Sigmoid", [name], [output]))


def another_domain(model: onnx.ModelProto) -> None:
    model.graph.node[-1].domain = "com.example"


def another_shape(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.array([-1, 1], dtype=np.int64), "flat"))


def an_initializer_more(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array([0.5], dtype=np.float32), "rows"))


def a_function(model: onnx.ModelProto) -> None:
    body = helper.make_node("Identity", ["x"], ["y"])
    model.functions.append(helper.make_function("", "Reshape", ["x"], ["y"], [body], [helper.make_opsetid("", 15)]))


def two_graphs(model: onnx.ModelProto) -> bytes:
    return bytes(model.SerializeToString() * 2)


UNKNOWN = [
    pytest.param(a_network, id="a neural network"),
    pytest.param(an_operator_before, id="an operator before"),
    pytest.param(an_operator_after, id="an operator after"),
    pytest.param(an_operator_beside, id="an operator beside"),
    pytest.param(an_operator_beside_the_last, id="an operator in the middle that leads nowhere"),
    pytest.param(two_sigmoids, id="two sigmoids"),
    pytest.param(another_domain, id="another domain"),
    pytest.param(another_shape, id="another shape"),
    pytest.param(an_initializer_more, id="a default for the rows"),
    pytest.param(a_function, id="a function of its own"),
    pytest.param(two_graphs, id="two graphs"),
    pytest.param(changed("nodes_modes", put(0, "BRANCH_EQ")), id="BRANCH_EQ"),
    pytest.param(changed("nodes_modes", put(0, "BRANCH_GT")), id="BRANCH_GT"),
    pytest.param(given_as(post_transform="LOGISTIC"), id="LOGISTIC inside"),
    pytest.param(given_as(post_transform=1), id="a post_transform of another type"),
    pytest.param(given_as(aggregate_function="MIN"), id="MIN"),
    pytest.param(given_as(n_targets=None), id="no n_targets"),
    pytest.param(given_as(n_targets=2), id="fewer base values than targets"),
    pytest.param(given_as(n_targets=2**40, base_values=None), id="more targets than leaves"),
    pytest.param(given_as(n_targets=-1, base_values=None), id="less than no targets"),
    pytest.param(given_as(n_targets=2, base_values=[0.0, 0.0]), id="two targets in one column"),
    pytest.param(given_as(nodes_values_as_tensor=numpy_helper.from_array(np.ones(3), "x")), id="doubles"),
    pytest.param(changed("target_ids", put(0, 1)), id="a target that is not there"),
    pytest.param(changed("target_ids", put(0, -1)), id="a negative target"),
    pytest.param(changed("target_treeids", put(0, 99)), id="a leaf of no tree"),
    pytest.param(changed("target_nodeids", put(0, 99)), id="a leaf outside its tree"),
    pytest.param(changed("target_nodeids", put(0, 0)), id="a weight of a branch"),
    pytest.param(changed("target_nodeids", lambda ids: [ids[1], *ids[1:]]), id="two weights of a leaf"),
    pytest.param(changed("target_weights", lambda weights: weights[1:]), id="a weight less"),
    pytest.param(changed("nodes_values", lambda values: values[1:]), id="a threshold less"),
    pytest.param(changed("nodes_featureids", put(0, 5)), id="a feature too many"),
    pytest.param(changed("nodes_featureids", put(0, -1)), id="a negative feature"),
    pytest.param(changed("nodes_nodeids", put(1, 7)), id="nodes out of order"),
    pytest.param(changed("nodes_treeids", lambda ids: [0 if tree == 2 else tree for tree in ids]), id="a tree in two"),
    pytest.param(changed("nodes_truenodeids", put(0, 0)), id="a node below itself"),
    pytest.param(changed("nodes_truenodeids", put(0, 999)), id="a child outside its tree"),
    pytest.param(changed("nodes_truenodeids", put(0, -1)), id="a negative child"),
    pytest.param(changed("nodes_truenodeids", put(0, 2)), id="two parents"),
    pytest.param(changed("nodes_truenodeids", lambda ids: [*map(float, ids)]), id="floats for ints"),
]


@pytest.mark.parametrize("edit", UNKNOWN)
def test_a_model_that_is_not_known_exactly_is_left_alone(edit: Callable[[onnx.ModelProto], bytes | None]) -> None:
    model = a_model(Shape())
    assert ensemble_from_onnx(model.SerializeToString(), 5) is not None
    content = edit(model) or model.SerializeToString()
    assert ensemble_from_onnx(content, 5) is None


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(given_as(post_transform="SOFTMAX_ZERO"), id="SOFTMAX_ZERO"),
        pytest.param(given_as(post_transform="NONE"), id="no SOFTMAX"),
        pytest.param(given_as(classlabels_int64s=None, classlabels_strings=["a", "b", "c", "d"]), id="strings"),
        pytest.param(given_as(classlabels_int64s=[0, 1]), id="two classes"),
        pytest.param(given_as(n_targets=4), id="targets as well"),
        pytest.param(lambda model: model.graph.node[-1].input.__setitem__(0, "label"), id="the label, not the scores"),
    ],
)
def test_a_classifier_that_is_not_known_exactly_is_left_alone(edit: Callable[[onnx.ModelProto], None]) -> None:
    model = a_model(Shape("multiclass"))
    assert ensemble_from_onnx(model.SerializeToString(), 5) is not None
    edit(model)
    assert ensemble_from_onnx(model.SerializeToString(), 5) is None


def test_a_tree_whose_leaves_add_to_several_targets_is_left_alone() -> None:
    model = a_model(Shape("several"))
    changed("target_ids", put(0, 1))(model)
    assert ensemble_from_onnx(model.SerializeToString(), 5) is None


def test_what_has_no_effect_may_be_there_or_not() -> None:
    model = a_model(Shape())
    expected = the_ensemble(model.SerializeToString(), 5)
    nodes = len(value_of(model, "nodes_modes"))
    with_attributes(model, {"nodes_hitrates": [1.0] * nodes, "nodes_missing_value_tracks_true": None})
    model.doc_string = model.graph.doc_string = model.graph.node[0].name = "text"
    model.metadata_props.append(onnx.StringStringEntryProto(key="of", value="kelp"))
    model.graph.value_info.append(helper.make_tensor_value_info("sums", TensorProto.FLOAT, [None, 1]))
    np.testing.assert_array_equal(the_ensemble(model.SerializeToString(), 5).thresholds, expected.thresholds)


@pytest.mark.parametrize("width", [0, 4, MAX_WIDTH + 1])
def test_a_width_that_the_kernel_does_not_take_is_left_alone(width: int) -> None:
    model = a_model(Shape(width=5, trees=20))
    assert ensemble_from_onnx(model.SerializeToString(), width) is None
    assert ensemble_from_onnx(model.SerializeToString(), MAX_WIDTH) is not None
    assert MAX_WIDTH == _kernel.MAX_WIDTH


@settings(max_examples=300, deadline=None)
@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_damaged_bytes_give_an_ensemble_or_none(data: st.DataObject, kind: Kind) -> None:
    content = bytearray(a_model(Shape(kind, trees=2, depth=3)).SerializeToString())
    places = data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4))
    for place in places:
        content[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)) | st.none())
    with np.errstate(all="ignore"):
        ensemble = ensemble_from_onnx(bytes(content[:cut]), 5)
    assert ensemble is None or ensemble.width == 5


def test_only_a_file_that_begins_with_trees_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    content = a_model(Shape()).SerializeToString()
    path.write_bytes(content)
    found = read_ensemble(path, 5)
    assert found is not None
    np.testing.assert_array_equal(found.thresholds, the_ensemble(content, 5).thresholds)
    model = a_model(Shape())
    model.doc_string = "-" * 5000
    path.write_bytes(model.SerializeToString())
    assert read_ensemble(path, 5) is None


def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="cannot be read"):
        read_ensemble(tmp_path / "model.onnx", 5)
