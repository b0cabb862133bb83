# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from typing import Any

import pytest

from kelp.cli.comparison import compare, verdict, words
from kelp.cli.comparison_page import comparison_page
from kelp.cli.pairing import Pairing, pair
from kelp.cli.sides import Side
from kelp.runs.facts import RunFacts

HOSTILE = "<script>alert(1)</script>"
CURVE = {"x": [0.0, 0.2, 1.0], "y": [0.0, 0.8, 1.0]}
BINS = [{"predicted": 0.1, "observed": 0.2, "low": 0.1, "high": 0.3, "rows": 9}]
PICTURES = {"roc": {"candidate": CURVE}, "precisionRecall": {"candidate": CURVE}, "calibration": BINS}


def a_side(name: str = "fraud version 1", *, pictures: dict[str, Any] | None = None, **facts: Any) -> Side:
    values: dict[str, Any] = {
        "run": "fraud-1",
        "folder": Path(),
        "seed": 7,
        "params": {"eta": 0.1, "max_depth": 6},
        "digests": {"snapshot": "d" * 64, "code": "c" * 64},
        "metrics": {
            "brier": {"value": 0.1, "low": 0.05, "high": 0.2},
            "pr_auc": {"value": 0.6, "low": 0.5, "high": 0.7},
        },
        "main_metrics": ("pr_auc",),
        "packages": {"python": "3.11"},
        **facts,
    }
    evaluation = {"model": {"task": "binary"}, "confidence": 0.95, "pictures": pictures or {}}
    return Side(name, RunFacts(**values), None, None, evaluation)


def estimate(low: float | None, high: float | None) -> dict[str, Any]:
    return {"value": 0.03, "low": low, "high": high, "reason": "" if low is not None else "too few rows"}


@pytest.mark.parametrize(
    ("better", "kind", "text"),
    [
        pytest.param(estimate(0.01, 0.05), "better", "B better by 0.03 (+0.01 to +0.05)", id="better"),
        pytest.param(estimate(-0.05, -0.01), "worse", "B worse by 0.03 (-0.05 to -0.01)", id="worse"),
        pytest.param(estimate(-0.01, 0.05), "even", "no clear difference, +0.03 (-0.01 to +0.05)", id="even"),
        pytest.param(estimate(0.0, 0.05), "even", "no clear difference, +0.03 (+0 to +0.05)", id="touching zero"),
        pytest.param(estimate(None, None), "", "too few rows", id="no interval"),
        pytest.param(None, "", "", id="nothing"),
    ],
)
def test_a_difference_is_said_only_where_its_interval_says_it(
    better: dict[str, Any] | None, kind: str, text: str
) -> None:
    assert (verdict(better), words(better)) == (kind, text)


def test_only_what_differs_is_listed_and_all_on_demand() -> None:
    a, b = a_side(), a_side(params={"eta": 0.05, "max_depth": 6, "gamma": 1}, seed=9)
    document = compare(a, b, Pairing("no"), is_all=False)
    assert document["params"] == [
        {"name": "eta", "a": 0.1, "b": 0.05},
        {"name": "seed", "a": 7, "b": 9},
        {"name": "gamma", "a": None, "b": 1},
    ]
    assert document["packages"] == []
    whole = compare(a, b, Pairing("no"), is_all=True)
    assert {row["name"] for row in whole["params"]} == {"eta", "max_depth", "seed", "gamma"}
    assert whole["packages"] == [{"name": "python", "a": "3.11", "b": "3.11"}]


def test_a_side_of_which_nothing_is_known_is_not_said_to_differ() -> None:
    empty = a_side(params={}, seed=None, packages={}, digests={}, metrics={}, main_metrics=())
    document = compare(a_side(), empty, Pairing("no"), is_all=False)
    assert (document["params"], document["spec"], document["packages"]) == ([], [], [])
    assert {row["isEqual"] for row in document["digests"]} == {None}
    assert document["metrics"][0] == {
        "name": "pr_auc",
        "a": a_side().facts.metrics["pr_auc"],
        "b": None,
        "better": None,
    }


def test_digests_are_equal_different_or_unknown() -> None:
    document = compare(a_side(), a_side(digests={"snapshot": "d" * 64, "code": "0" * 64}), Pairing("no"), is_all=False)
    assert {row["name"]: row["isEqual"] for row in document["digests"]} == {
        "data": True, "prepared data": None, "code": False, "spec": None,
    }  # fmt: skip


def test_metrics_of_gates_come_first_with_the_paired_difference() -> None:
    document = compare(a_side(), a_side(), Pairing("", 100, {"pr_auc": estimate(0.01, 0.05)}), is_all=False)
    assert [row["name"] for row in document["metrics"]] == ["pr_auc", "brier"]
    assert document["metrics"][0]["better"] == estimate(0.01, 0.05)
    assert (document["isPaired"], document["rows"], document["reason"]) == (True, 100, "")


def test_without_versions_there_is_no_pair() -> None:
    assert pair(a_side(), a_side()).reason == "fraud version 1 has no version that could be scored"


def test_the_page_overlays_the_curves_and_says_the_difference() -> None:
    a, b = a_side(pictures=PICTURES), a_side("fraud version 2", pictures=PICTURES)
    document = compare(a, b, Pairing("", 1234, {"pr_auc": estimate(0.01, 0.05)}), is_all=False)
    page = comparison_page(document, a.evaluation, b.evaluation)
    for wanted in ("ROC curve", "Precision and recall", "Calibration", "B better by 0.03", "1,234 held-out rows"):
        assert wanted in page
    assert page.count('class="line A"') == page.count('class="line B"') == 3
    assert "<script" not in page
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page


def test_the_page_of_a_regression_draws_both_in_one_chart() -> None:
    tenths = [{"predicted": 10.0, "observed": 12.0, "rows": 5}, {"predicted": 90.0, "observed": 200.0, "rows": 5}]
    a, b = a_side(pictures={"tenths": tenths[::-1]}), a_side(pictures={"tenths": tenths})
    page = comparison_page(compare(a, b, Pairing("no"), is_all=False), a.evaluation, b.evaluation)
    assert page.count("by tenths</figcaption>") == 1
    assert page.count('class="line A"') == page.count('class="line B"') == 1


def test_the_page_without_evaluations_says_so_and_escapes_what_it_shows() -> None:
    empty = a_side(HOSTILE, metrics={}, main_metrics=(), reason=HOSTILE, params={HOSTILE: HOSTILE})
    page = comparison_page(compare(empty, a_side(metrics={}, main_metrics=()), Pairing(HOSTILE), is_all=True), {}, {})
    assert HOSTILE not in page
    assert "Neither was judged." in page
    assert "Not paired: &lt;script&gt;" in page
