# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from components.train.network_layout import Survey, embedding_size, layout_of, signed_log
from components.train.network_rows import Moments
from kelp.frame.transform import Feature, RawColumn, Transform

TRANSFORM = Transform(
    task="regression",
    classes=(),
    columns=(
        RawColumn(name="n", type="float", nullable=True),
        RawColumn(name="h", type="float", nullable=True),
        RawColumn(name="c", type="string", nullable=True),
        RawColumn(name="t", type="timestamp", nullable=True),
    ),
    features=(
        Feature(name="c", column="c", kind="category", categories=("a", "b")),
        Feature(name="n", column="n", kind="number"),
        Feature(name="month", column="t", kind="month"),
        Feature(name="h", column="h", kind="number"),
    ),
)


def a_survey(targets: list[float]) -> Survey:
    survey = Survey(Moments(), Moments(), Moments())
    matrix = np.zeros((200, 4), dtype=np.float32)
    matrix[:, 1] = np.arange(200)
    matrix[0, 3] = 1e6
    survey.see(matrix, np.resize(np.array(targets), 200))
    return survey


def test_each_kind_of_feature_has_its_input() -> None:
    layout = layout_of(TRANSFORM, a_survey([1.0, 3.0]))
    assert layout.values.positions == (1, 3)
    assert layout.logarithms.positions == (3,)  # only h has an outlier
    assert layout.codes == ((0, 3), (2, 13))
    assert layout.outputs == 1
    assert (layout.target_mean, layout.target_deviation) == (2.0, 1.0)


def test_numbers_are_standardised_by_the_training_rows() -> None:
    values = layout_of(TRANSFORM, a_survey([1.0])).values
    assert values.mean[0] == pytest.approx(99.5)
    assert values.deviation[0] == pytest.approx(np.arange(200).std())


def test_a_target_of_one_value_is_not_divided_by_0() -> None:
    layout = layout_of(TRANSFORM, a_survey([5.0]))
    assert (layout.target_mean, layout.target_deviation) == (5.0, 1.0)


@pytest.mark.parametrize(("codes", "size"), [(1, 2), (3, 3), (25, 10), (200, 32), (10**6, 32)], ids=str)
def test_an_embedding_grows_with_its_codes_up_to_a_limit(codes: int, size: int) -> None:
    assert embedding_size(codes, 32) == size


def test_the_logarithm_keeps_the_sign() -> None:
    found = signed_log(np.array([[-np.e + 1, 0, np.e - 1]], dtype=np.float32))
    np.testing.assert_allclose(found, [[-1, 0, 1]], rtol=1e-6)
