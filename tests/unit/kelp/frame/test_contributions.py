# SPDX-License-Identifier: Apache-2.0
import json
import logging
import math
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import xgboost

from kelp.errors import IntegrityError
from kelp.frame.contributions import BOOSTER_FILE, REFERENCE_FILE, TOLERANCE, Explainer
from tests.unit.kelp.frame.explained import OBJECTIVES, a_version


def path_dependent(tree: dict[str, Any], row: Any, known: tuple[int, ...]) -> float:
    """What a tree answers on average if only some features are known: the others follow the training rows."""
    if "leaf" in tree:
        return float(tree["leaf"])
    children = {child["nodeid"]: child for child in tree["children"]}
    yes, no = children[tree["yes"]], children[tree["no"]]
    feature = int(tree["split"][1:])
    if feature in known:
        return path_dependent(yes if row[feature] < np.float32(tree["split_condition"]) else no, row, known)
    whole = yes["cover"] + no["cover"]
    return float(sum(path_dependent(child, row, known) * child["cover"] / whole for child in (yes, no)))


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_tree_contributions_are_the_definition_of_path_dependent_shapley_values(tmp_path: Path, task: str) -> None:
    explainer = Explainer.load(tmp_path, a_version(tmp_path, task))
    trees = [json.loads(text) for text in explainer.booster.get_dump(dump_format="json", with_stats=True)]
    for row, found in zip(explainer.reference[:4], explainer.explain(explainer.reference[:4]), strict=True):
        expected = np.zeros(5)
        for feature in range(5):
            others = [other for other in range(5) if other != feature]
            for size in range(5):
                for known in combinations(others, size):
                    gain = sum(path_dependent(t, row, (*known, feature)) - path_dependent(t, row, known) for t in trees)
                    expected[feature] += gain / (5 * math.comb(4, size))
        np.testing.assert_allclose(found.features, expected, atol=1e-4)
        assert found.method == "tree_shap"


@pytest.mark.parametrize("has_trees", [True, False])
@pytest.mark.parametrize("task", OBJECTIVES)
def test_base_and_contributions_add_up_and_columns_sum_their_features(
    tmp_path: Path, task: str, has_trees: bool
) -> None:
    scorer = a_version(tmp_path, task)
    if not has_trees:
        (tmp_path / BOOSTER_FILE).unlink()
    explainer = Explainer.load(tmp_path, scorer)
    rows = explainer.reference[:5]
    scores = scorer.score(rows).reshape(5, -1).max(axis=1)
    for found, score in zip(explainer.explain(rows), scores, strict=True):
        size = abs(found.base) + np.abs(found.features).sum()
        assert abs(found.base + found.features.sum() - found.total) <= TOLERANCE * max(1, size)
        assert found.columns["at"] == pytest.approx(found.features[3:].sum())
        assert list(found.columns) == ["a", "b", "c", "at"]
        assert found.score == pytest.approx(score)
        assert found.scale == ("margin" if has_trees and task != "regression" else "score")
        if found.scale == "score":
            assert found.total == pytest.approx(score, abs=1e-4)
        assert (found.errors is None) == has_trees


def test_a_binary_margin_is_in_log_odds_of_the_positive_class(tmp_path: Path) -> None:
    explainer = Explainer.load(tmp_path, a_version(tmp_path, "binary"))
    found = explainer.explain(explainer.reference[:1])[0]
    assert found.total == pytest.approx(math.log(found.score / (1 - found.score)), abs=1e-4)
    assert found.class_name == "yes"


def test_the_class_that_several_are_answered_with_is_explained(tmp_path: Path) -> None:
    scorer = a_version(tmp_path, "multiclass")
    explainer = Explainer.load(tmp_path, scorer)
    rows = explainer.reference[:50]
    assert [found.class_name for found in explainer.explain(rows)] == scorer.label(scorer.score(rows))
    assert len(set(scorer.label(scorer.score(rows)))) == 3


def test_large_numbers_that_cancel_out_are_explained(tmp_path: Path) -> None:
    scorer = a_version(tmp_path, "regression", scale=1e6)
    explainer = Explainer.load(tmp_path, scorer)
    for found in explainer.explain(explainer.reference):
        size = abs(found.base) + np.abs(found.features).sum()
        assert abs(found.base + found.features.sum() - found.total) <= TOLERANCE * size


def test_a_row_is_explained_alike_alone_and_among_others(tmp_path: Path) -> None:
    scorer = a_version(tmp_path, "binary")
    (tmp_path / BOOSTER_FILE).unlink()
    explainer = Explainer.load(tmp_path, scorer)
    among = explainer.explain(explainer.reference[:3])[2]
    alone = explainer.explain(explainer.reference[2:3])[0]
    assert (alone.columns, alone.errors) == (among.columns, among.errors)


def test_trees_that_are_not_what_is_served_are_left_aside_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scorer = a_version(tmp_path, "binary")
    other = xgboost.train({"nthread": 1}, xgboost.DMatrix(np.eye(5), label=np.arange(5)), 1)
    other.save_model(tmp_path / BOOSTER_FILE)
    with caplog.at_level(logging.WARNING):
        explainer = Explainer.load(tmp_path, scorer)
    assert explainer.booster is None
    assert "answers otherwise than the model that is served" in caplog.text
    assert explainer.explain(explainer.reference[:1])[0].method == "sampling"


def test_without_xgboost_scores_are_explained_by_sampling_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = a_version(tmp_path, "binary")
    monkeypatch.setitem(sys.modules, "xgboost", None)  # importing it fails, as where it is not installed
    explainer = Explainer.load(tmp_path, scorer)
    assert "xgboost is not installed" in caplog.text
    (found,) = explainer.explain(explainer.reference[:1])
    assert (found.method, found.errors is not None) == ("sampling", True)


@pytest.mark.parametrize("name", [BOOSTER_FILE, REFERENCE_FILE])
def test_a_corrupt_file_is_named(tmp_path: Path, name: str) -> None:
    scorer = a_version(tmp_path, "binary")
    (tmp_path / name).write_bytes(b"no such thing")
    with pytest.raises(IntegrityError, match=name):
        Explainer.load(tmp_path, scorer)


def test_a_version_without_reference_rows_is_refused(tmp_path: Path) -> None:
    scorer = a_version(tmp_path, "binary")
    pq.write_table(pq.read_table(tmp_path / REFERENCE_FILE).slice(0, 0), tmp_path / REFERENCE_FILE)
    with pytest.raises(IntegrityError, match="expected one or more rows"):
        Explainer.load(tmp_path, scorer)
