# SPDX-License-Identifier: Apache-2.0
"""What a user bought before ranks the list better than what everybody buys."""

import numpy as np
import numpy.typing as npt
import pandas as pd  # ships no types
import pytest
import xgboost
from sklearn.metrics import roc_auc_score

from examples.recommendations.table import make_lists

PERSONAL = ["affinity", "price_distance", "weeks_since_category"]
SAME_FOR_ALL = ["popularity", "price"]

Scores = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def lists() -> pd.DataFrame:
    found = make_lists(500, 20, 7).to_pandas()
    return found.assign(is_bought=found.bought == "true")


def held_out(lists: pd.DataFrame) -> pd.DataFrame:
    """The newest fifth of the rows."""
    return lists[int(len(lists) * 0.8) :]


def scores(lists: pd.DataFrame, names: list[str]) -> Scores:
    """Of the held-out rows, by a model of the others."""
    training = lists[: int(len(lists) * 0.8)]
    model = xgboost.XGBClassifier(n_estimators=60, max_depth=4, learning_rate=0.1, n_jobs=1)
    model.fit(training[names], training.is_bought)
    found: Scores = model.predict_proba(held_out(lists)[names])[:, 1]
    return found


def ndcg_at_10(lists: pd.DataFrame, scored: Scores) -> float:
    """Mean over users of the discounted gain of their ten best rows, as a share of the best that can be."""
    ranked = held_out(lists).assign(score=scored).sort_values(["user_id", "score"], ascending=[True, False])
    discount = 1 / np.log2(2 + ranked.groupby("user_id").cumcount())
    gain = (discount.where(discount >= 1 / np.log2(11), 0) * ranked.is_bought).groupby(ranked.user_id).sum()
    bought = ranked.is_bought.groupby(ranked.user_id).sum()
    best = np.concatenate([[0], np.cumsum(1 / np.log2(2 + np.arange(10)))])
    return float((gain / best[np.minimum(bought, 10)]).mean())


@pytest.fixture(scope="module")
def personal(lists: pd.DataFrame) -> Scores:
    return scores(lists, [*SAME_FOR_ALL, *PERSONAL])


def test_personal_features_rank_better_than_popularity(lists: pd.DataFrame, personal: Scores) -> None:
    popularity = held_out(lists).popularity.to_numpy()
    luck = np.random.default_rng(1).random(popularity.size)
    assert ndcg_at_10(lists, popularity) > ndcg_at_10(lists, luck) + 0.05
    assert ndcg_at_10(lists, personal) > ndcg_at_10(lists, popularity) + 0.12


def test_personal_features_separate_better_than_those_that_are_the_same_for_all(
    lists: pd.DataFrame, personal: Scores
) -> None:
    is_bought = held_out(lists).is_bought
    without = roc_auc_score(is_bought, scores(lists, SAME_FOR_ALL))
    assert roc_auc_score(is_bought, personal) > max(0.7, without + 0.1)
