# SPDX-License-Identifier: Apache-2.0
"""Plain trees tell malignant from benign, and the identifiers do not help."""

import numpy as np
import numpy.typing as npt
import pytest
import xgboost
from sklearn.metrics import roc_auc_score

from examples.disease.samples import make_samples

IDENTIFIERS = ("patient_id", "postcode", "age_band", "visit_date")


def roc_auc(rows: npt.NDArray[np.float64], seed: int) -> float:
    """Of a model that learns from 60% of the samples, on the others."""
    is_malignant = np.array(make_samples(7)["diagnosis"]) == "malignant"
    is_test = np.random.default_rng(seed).random(569) < 0.4
    model = xgboost.XGBClassifier(n_estimators=100, max_depth=3, learning_rate=0.1, n_jobs=1)
    model.fit(rows[~is_test], is_malignant[~is_test])
    return float(roc_auc_score(is_malignant[is_test], model.predict_proba(rows[is_test])[:, 1]))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_measurements_tell_malignant_from_benign(seed: int) -> None:
    samples = make_samples(7)
    names = [name for name in samples if name.startswith(("mean_", "worst_")) or name.endswith("_error")]
    assert len(names) == 30
    assert roc_auc(np.column_stack([np.array(samples[name], dtype=float) for name in names]), seed) > 0.97


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_invented_columns_say_nothing(seed: int) -> None:
    samples = make_samples(7)
    columns = [np.unique(samples[name], return_inverse=True)[1] for name in IDENTIFIERS]
    assert roc_auc(np.column_stack(columns).astype(float), seed) == pytest.approx(0.5, abs=0.12)
