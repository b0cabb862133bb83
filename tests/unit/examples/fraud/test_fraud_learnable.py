# SPDX-License-Identifier: Apache-2.0
"""The example teaches something: a tree model beats the old system by far, and the knobs hurt it as they say."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
import xgboost
from sklearn.metrics import average_precision_score

from examples.fraud.payments import Knobs
from examples.fraud.table import make_export

CATEGORIES = ("currency", "merchant", "merchant_country", "channel")
NUMBERS = ("amount", "card_age_days", "is_foreign", "device_score")
TRAINING_ROWS = 48_000

Rows = npt.NDArray[np.float32]
Labels = npt.NDArray[np.bool_]


def a_table(knobs: Knobs) -> pa.Table:
    return make_export(rows=60_000, days=90, seed=7, knobs=knobs, dirty_share=0.0).table


def encoded(table: pa.Table) -> tuple[Rows, Labels]:
    columns = [table[name].cast(pa.float64()).to_numpy() for name in NUMBERS]
    columns += [np.unique(table[name].to_pylist(), return_inverse=True)[1] for name in CATEGORIES]
    labels: Labels = np.array(np.array(table["is_fraud"].to_pylist()) == "true")
    return np.column_stack(columns).astype(np.float32), labels


def fitted(table: pa.Table) -> xgboost.XGBClassifier:
    rows, labels = encoded(table)
    model = xgboost.XGBClassifier(n_estimators=100, max_depth=6, learning_rate=0.1, n_jobs=1)
    return model.fit(rows[:TRAINING_ROWS], labels[:TRAINING_ROWS])


def pr_auc(model: xgboost.XGBClassifier, table: pa.Table, only: Labels | None = None) -> float:
    """Average precision on the held-out rows, or on those of them in the mask `only`."""
    rows, labels = encoded(table)
    chosen = np.arange(labels.size) >= TRAINING_ROWS
    if only is not None:
        chosen &= only
    return float(average_precision_score(labels[chosen], model.predict_proba(rows[chosen])[:, 1]))


@pytest.fixture(scope="module")
def normal() -> pa.Table:
    return a_table(Knobs())


@pytest.fixture(scope="module")
def model(normal: pa.Table) -> xgboost.XGBClassifier:
    return fitted(normal)


def test_a_tree_model_learns_the_rule(model: xgboost.XGBClassifier, normal: pa.Table) -> None:
    assert 0.6 < pr_auc(model, normal) < 0.85


def test_the_old_system_is_clearly_worse(normal: pa.Table) -> None:
    labels = encoded(normal)[1][TRAINING_ROWS:]
    assert 0.05 < average_precision_score(labels, normal["old_score"].to_numpy()[TRAINING_ROWS:]) < 0.3


def test_concept_drift_makes_a_trained_model_worse(model: xgboost.XGBClassifier, normal: pa.Table) -> None:
    assert pr_auc(model, a_table(Knobs(concept_drift=0.5))) < pr_auc(model, normal) - 0.2


def test_a_biased_band_cannot_be_learnt() -> None:
    biased = a_table(Knobs(group_bias=0.8))
    is_old = np.array(biased["age_band"].to_pylist()) == "61+"
    model = fitted(biased)
    assert pr_auc(model, biased, only=is_old) < 0.5 * pr_auc(model, biased, only=~is_old)
