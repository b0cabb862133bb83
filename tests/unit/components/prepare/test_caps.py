# SPDX-License-Identifier: Apache-2.0
"""Limits that are fitted: of numbers by `clip`, of categories by `maxCategories`."""

from tests.unit.components.ingest.factories import Bench
from tests.unit.components.prepare.test_prepare import TRAINING, one, padded


def test_numbers_beyond_the_limits_of_clip_become_the_limit(bench: Bench) -> None:
    prepared = one(bench, "float", [*map(float, range(TRAINING)), *[1e9] * 10, *[-1e9] * 10], {"clip": "10%"})
    assert (prepared.feature("x").low, prepared.feature("x").high) == (7.0, 72.0)
    assert set(prepared.column("test", "x")) == {7.0, 72.0}
    assert min(prepared.column("test_rows", "x")) == -1e9


def test_categories_beyond_the_cap_are_said(bench: Bench) -> None:
    prepared = one(bench, "category", padded(["a", "b", "a", "c"], None), {"maxCategories": 2})
    assert prepared.feature("x").categories == ("a", "b")
    assert prepared.summary["warnings"] == ["column x: it has more than 2 categories, the rest by frequency is `other`"]
    assert set(prepared.column("train", "x")) == {0.0, 1.0, 2.0}
