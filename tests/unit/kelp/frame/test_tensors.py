# SPDX-License-Identifier: Apache-2.0
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kelp.errors import RequestError
from kelp.frame.rows import columns_from_instances
from kelp.frame.tensors import Tensor, batch_from_tensors
from kelp.frame.transform import Transform

GOOD = {
    "amount": Tensor("amount", "FP64", (2,), [12.5, None]),
    "items": Tensor("items", "INT64", (2,), [2, 3]),
    "is_foreign": Tensor("is_foreign", "BOOL", (2,), [True, False]),
    "merchant": Tensor("merchant", "BYTES", (2,), ["shop", ""]),
    "at": Tensor("at", "BYTES", (2,), ["2024-05-01T10:00:00Z", ""]),
}
ROWS = [
    {"amount": 12.5, "items": 2, "is_foreign": True, "merchant": "shop", "at": 1714557600},
    {"amount": None, "items": 3, "is_foreign": False, "merchant": None, "at": None},
]


def matrix_of(transform: Transform, *tensors: Tensor) -> Any:
    batch = batch_from_tensors(transform, tensors)
    return batch if isinstance(batch, np.ndarray) else transform.apply(batch)


def test_one_tensor_per_column_equals_the_same_rows_as_instances(payments: Transform) -> None:
    expected = payments.apply(columns_from_instances(payments, ROWS))
    np.testing.assert_array_equal(matrix_of(payments, *GOOD.values()), expected)


@pytest.mark.parametrize(
    "tensor",
    [
        pytest.param(Tensor("amount", "FP64", (2, 1), [[12.5], [None]]), id="nested"),
        pytest.param(Tensor("amount", "FP64", (2, 1), [12.5, None]), id="n-by-1-flat"),
        pytest.param(Tensor("amount", "FP32", (2,), np.array([12.5, np.nan], dtype=np.float32)), id="array-with-nan"),
        pytest.param(Tensor("amount", "FP64", (2,), [12.5, float("nan")]), id="nan-in-a-list"),
    ],
)
def test_forms_of_a_column_are_equivalent(payments: Transform, tensor: Tensor) -> None:
    expected = matrix_of(payments, *GOOD.values())
    np.testing.assert_array_equal(matrix_of(payments, *{**GOOD, "amount": tensor}.values()), expected)


def test_undeclared_tensors_are_ignored(payments: Transform) -> None:
    surplus = Tensor("surplus", "FP64", (9,), [])
    np.testing.assert_array_equal(matrix_of(payments, *GOOD.values(), surplus), matrix_of(payments, *GOOD.values()))


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        pytest.param(
            Tensor("amount", "BYTES", (2,), ["1", "2"]), "inputs.amount.datatype: expected INT8", id="strings-for-float"
        ),
        pytest.param(
            Tensor("amount", "FP64", (2,), [1, -1]), "inputs.amount[1]: expected a number >= 0", id="below-min"
        ),
        pytest.param(Tensor("amount", "FP64", (2,), [1, "2"]), "inputs.amount.data[1]: expected a number", id="string"),
        pytest.param(Tensor("amount", "FP64", (2,), [1, True]), "inputs.amount.data[1]", id="bool-in-fp64"),
        pytest.param(Tensor("amount", "INT64", (2,), [1, 1.5]), "a whole number for INT64", id="fraction-in-int64"),
        pytest.param(Tensor("amount", "FP64", (2,), [1]), "expected 2 values for the shape [2], found 1", id="few"),
        pytest.param(Tensor("amount", "FP64", (2,), [1, 2, 3]), "found 3", id="many"),
        pytest.param(Tensor("amount", "FP64", (2, 1), [[1], [2, 3]]), "inputs.amount.data[1]", id="ragged"),
        pytest.param(Tensor("amount", "FP64", (2, 1), [[1], 2]), "found 2", id="half-nested"),
        pytest.param(Tensor("amount", "FP64", (2, 1), [[[1]], [[2]]]), "found a list", id="nested-twice"),
        pytest.param(Tensor("amount", "FP64", (2, 2), [1, 2, 3, 4]), "expected [n] or [n, 1]", id="wide"),
        pytest.param(Tensor("amount", "FP64", (), [1]), "inputs.amount.shape", id="no-dimension"),
        pytest.param(Tensor("amount", "FP64", (0,), []), "n >= 1", id="no-row"),
        pytest.param(Tensor("amount", "FP64", (-2,), [1, 2]), "n >= 1", id="negative-shape"),
        pytest.param(Tensor("amount", "FP64", (10**30,), [1]), "found 1", id="huge-shape"),
        pytest.param(Tensor("amount", "FP64", (1,), [1]), "inputs.items.shape: expected 1 rows as in amount", id="n"),
        pytest.param(Tensor("items", "INT64", (2,), [1, None]), "inputs.items[1]: expected a whole", id="null"),
        pytest.param(Tensor("items", "FP64", (2,), [1, 1.5]), "inputs.items[1]: expected a whole", id="fraction"),
        pytest.param(Tensor("is_foreign", "BOOL", (2,), [0, 1]), "inputs.is_foreign[0]", id="numbers-in-bool"),
        pytest.param(Tensor("is_foreign", "INT64", (2,), [0, 1]), "expected BOOL, found INT64", id="int64-for-bool"),
        pytest.param(Tensor("merchant", "BYTES", (2,), ["a", 7]), "inputs.merchant[1]", id="number-in-bytes"),
        pytest.param(Tensor("at", "FP32", (2,), [1, 2]), "inputs.at.datatype", id="fp32-cannot-hold-a-time"),
        pytest.param(Tensor("at", "BYTES", (2,), ["a", "b"]), "inputs.at[0]: expected an ISO 8601", id="no-time"),
    ],
)
def test_wrong_tensor_is_refused_by_name(payments: Transform, tensor: Tensor, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        batch_from_tensors(payments, list({**GOOD, tensor.name: tensor}.values()))
    assert message in str(caught.value)


def test_absent_tensor_is_named(payments: Transform) -> None:
    with pytest.raises(RequestError, match=r"inputs\.at: expected a tensor of INT32 or .* found none"):
        batch_from_tensors(payments, list(GOOD.values())[:-1])


def test_tensor_that_comes_twice_is_refused(payments: Transform) -> None:
    with pytest.raises(RequestError, match=r"inputs\.at: expected every tensor once"):
        batch_from_tensors(payments, [*GOOD.values(), GOOD["at"]])


@pytest.mark.parametrize("datatype", ["FP32", "FP64"])
@pytest.mark.parametrize("form", ["flat", "nested", "array"])
def test_tensor_rows_is_the_matrix_itself(payments: Transform, datatype: str, form: str) -> None:
    expected = matrix_of(payments, *GOOD.values())
    data = {"flat": expected.ravel().tolist(), "nested": expected.tolist(), "array": expected.ravel()}[form]
    np.testing.assert_array_equal(matrix_of(payments, Tensor("rows", datatype, expected.shape, data)), expected)


def test_missing_values_in_rows_become_the_fill(payments: Transform) -> None:
    found = matrix_of(payments, Tensor("rows", "FP32", (1, 7), [None, float("nan"), 0, 0, 0, 0, 0]))
    assert found[0, :2].tolist() == [20.5, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"datatype": "INT64"}, "inputs.rows.datatype: expected FP32 or FP64, found INT64", id="datatype"),
        pytest.param({"shape": (7,)}, "inputs.rows.shape: expected [n, 7] with n >= 1, found [7]", id="one-dimension"),
        pytest.param({"shape": (1, 8)}, "found [1, 8]", id="width"),
        pytest.param({"shape": (0, 7), "data": []}, "found [0, 7]", id="no-row"),
        pytest.param({"shape": (2, 7)}, "expected 14 values for the shape [2, 7], found 7", id="few"),
        pytest.param({"data": ["1"] * 7}, "inputs.rows.data[0]: expected a number", id="strings"),
        pytest.param({"data": [0, True, 0, 0, 0, 0, 0]}, "inputs.rows.data[1]", id="bool"),
        pytest.param({"data": [[0] * 6]}, "inputs.rows.data[0]: expected a list of 7 values, found 6", id="ragged"),
        pytest.param({"data": [0, 1e39, 0, 0, 0, 0, 0]}, "inputs.rows[0].items", id="beyond-float32"),
        pytest.param({"data": [0, float("-inf"), 0, 0, 0, 0, 0]}, "found -inf", id="infinity"),
        pytest.param({"data": [10**400] * 7}, "inputs.rows.data", id="huge-integer"),
    ],
)
def test_wrong_rows_tensor_is_refused(payments: Transform, change: dict[str, Any], message: str) -> None:
    tensor = Tensor("rows", "FP32", (1, 7), [0.0] * 7)._replace(**change)
    with pytest.raises(RequestError) as caught:
        batch_from_tensors(payments, [tensor])
    assert message in str(caught.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=3), children, max_size=2),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["rows", *GOOD]),
    datatype=st.sampled_from(["FP32", "FP64", "INT64", "BOOL", "BYTES", "X"]),
    shape=st.lists(st.integers(-1, 8), max_size=3),
    data=st.lists(json_values, max_size=8),
)
def test_any_data_is_answered_or_refused(
    payments: Transform, name: str, datatype: str, shape: list[int], data: list[Any]
) -> None:
    tensor = Tensor(name, datatype, tuple(shape), data)
    tensors = [tensor] if name == "rows" else list({**GOOD, name: tensor}.values())
    try:
        matrix = matrix_of(payments, *tensors)
    except RequestError:
        return
    assert matrix.shape[1] == payments.width
    assert np.isfinite(matrix).all()
