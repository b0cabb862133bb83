# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from sklearn import metrics as oracle

from components.evaluate.intervals import clopper_pearson
from components.evaluate.pictures.classes import (
    MOST_CLASSES,
    MOST_CONFUSED,
    OTHERS,
    confusion,
    each_class,
    limited,
    most_confused,
)

NAMES = ("cash", "loan", "rent")
MATRIX = np.array([[5, 1, 0], [3, 30, 7], [0, 0, 0]])


def test_confusion_counts_equal_scikit_learn_and_keep_absent_classes() -> None:
    rng = np.random.default_rng(0)
    target, score = (rng.random(300) < 0.3).astype(np.float64), rng.random(300)
    np.testing.assert_array_equal(confusion(target, score, 2), oracle.confusion_matrix(target, score >= 0.5))
    several = np.random.default_rng(0).random((50, 4))
    labels = np.zeros(50)
    expected = oracle.confusion_matrix(labels, several.argmax(axis=1), labels=range(4))
    np.testing.assert_array_equal(confusion(labels, several, 4), expected)


def test_each_class_has_its_precision_and_recall_the_largest_first() -> None:
    loan, cash, rent = each_class(MATRIX, NAMES, 0.95)
    assert (loan.name, loan.rows, loan.labelled) == ("loan", 40, 31)
    assert (loan.precision.value, loan.recall.value) == pytest.approx((30 / 31, 30 / 40))
    assert (loan.recall.low, loan.recall.high) == clopper_pearson(30, 40, 0.95)
    assert cash.name == "cash"
    assert (rent.recall.value, rent.recall.reason) == (None, "no row to count it on")
    assert rent.precision.value == 0.0


def test_the_most_frequent_mistakes_come_first_and_right_labels_never() -> None:
    found = [(each.true, each.label, each.rows, each.share) for each in most_confused(MATRIX, NAMES)]
    assert found == [("loan", "rent", 7, 7 / 40), ("loan", "cash", 3, 3 / 40), ("cash", "loan", 1, 1 / 6)]
    assert len(most_confused(np.ones((9, 9), dtype=np.int64), list("abcdefghi"))) == MOST_CONFUSED


def test_a_matrix_of_many_classes_keeps_the_largest_and_every_row() -> None:
    rng = np.random.default_rng(1)
    matrix = rng.integers(0, 5, (80, 80))
    matrix[7] += 100
    found, names = limited(matrix, [f"c{position}" for position in range(80)])
    assert found.shape == (MOST_CLASSES, MOST_CLASSES)
    assert (names[-1], "c7" in names, found.sum()) == (OTHERS, True, matrix.sum())
    position = names.index("c7")
    assert found[position].sum() == matrix[7].sum()
    assert found[position, position] == matrix[7, 7]
    assert limited(MATRIX, NAMES)[1] == list(NAMES)
