# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.train.inputs import on_all_rows, read_training
from kelp.errors import DataError
from tests.unit.components.train.matrices import a_model, write_matrix


def write_targets(folder: Path, targets: list[int], kept_back: list[bool]) -> Path:
    write_matrix(folder, task="multiclass")
    count = len(targets)
    features = {f"feature {position}": np.zeros(count, dtype=np.float32) for position in range(4)}
    table = pa.table({**features, "__target": np.array(targets), "__validation": np.array(kept_back)})
    pq.write_table(table, folder / "train.parquet")
    return folder


def test_all_rows_are_learnt_from_unless_some_are_to_be_kept_back(tmp_path: Path) -> None:
    prepared = write_matrix(tmp_path)
    plain = read_training(a_model(), prepared, 7)
    assert (plain.rows.count(), plain.validation, plain.early_stopping, plain.device) == (400, None, None, "cpu")
    for asked in ({"earlyStopping": 3}, {"search": {"trials": 2}}):
        training = read_training(a_model(**asked), prepared, 7)
        assert training.validation is not None
        assert (training.rows.count(), training.validation.count()) == (320, 80)
        everything = on_all_rows(training, a_model(**asked))
        assert (everything.rows.count(), everything.validation, everything.early_stopping) == (400, None, None)


def test_every_class_weighs_the_same_in_all(tmp_path: Path) -> None:
    prepared = write_targets(tmp_path, [0, 0, 0, 1, 2, 2, 0, 0], [False] * 6 + [True] * 2)
    model = a_model("multiclass", classWeights="balanced", earlyStopping=3)
    training = read_training(model, prepared, 7)
    assert training.class_weights == pytest.approx((6 / 9, 6 / 3, 6 / 6))
    assert on_all_rows(training, model).class_weights == pytest.approx((8 / 15, 8 / 3, 8 / 6))
    assert read_training(a_model("multiclass"), prepared, 7).class_weights == ()


def test_a_class_without_rows_cannot_be_weighed(tmp_path: Path) -> None:
    prepared = write_targets(tmp_path, [0, 0, 2, 1], [False, False, False, True])
    with pytest.raises(DataError, match="expected rows of every class, found none of 'low'"):
        read_training(a_model("multiclass", classWeights="balanced", earlyStopping=3), prepared, 7)


def test_a_declared_direction_is_that_of_the_columns_feature(tmp_path: Path) -> None:
    columns = {
        "feature 1": {"type": "float", "monotone": "decreasing"},
        "feature 3": {"type": "float", "monotone": "increasing"},
        "unused": {"type": "float", "monotone": "increasing"},
    }
    training = read_training(a_model(columns=columns), write_matrix(tmp_path), 7)
    assert training.monotone == {"feature 1": -1, "feature 3": 1}
