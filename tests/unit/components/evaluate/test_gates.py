# SPDX-License-Identifier: Apache-2.0
from collections.abc import Sequence
from typing import Any, Literal

import pytest

from components.evaluate.comparison import Absence, Judged
from components.evaluate.document import sentence
from components.evaluate.gates import GateResult, decide, gate_text, overall, rows_needed
from components.evaluate.intervals import Estimate, count_estimate
from kelp.spec import Gate

UNKNOWN = Estimate(0.7, None, None, 4, "4 rows to judge it on, at least 10 are needed")


def a_gate(**fields: Any) -> Gate:
    return Gate.model_validate({"metric": "recall", **fields})


def between(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, low, high, 100)


def decided(gate: Gate, found: Estimate | Absence) -> GateResult:
    """Decide one gate where everything it could ask for is the same."""
    other = found if isinstance(found, Absence) else Judged({}, {gate.metric: found})
    metrics = {} if isinstance(found, Absence) else {gate.metric: found}
    (result,) = decide([gate], metrics, {"champion": other, "legacy": other, "dummy": other}, {}, 0.95)
    return result


@pytest.mark.parametrize(
    ("fields", "found", "expected"),
    [
        pytest.param({"atLeast": 0.5}, between(0.51, 0.9), "pass", id="at-least-whole-interval-above"),
        pytest.param({"atLeast": 0.5}, between(0.5, 0.9), "pass", id="at-least-bound-on-the-limit"),
        pytest.param({"atLeast": 0.5}, between(0.49, 0.9), "undecided", id="at-least-estimate-good-bound-bad"),
        pytest.param({"atLeast": 0.5}, between(0.2, 0.5), "undecided", id="at-least-upper-bound-on-the-limit"),
        pytest.param({"atLeast": 0.5}, between(0.2, 0.49), "fail", id="at-least-whole-interval-below"),
        pytest.param({"atMost": 0.5}, between(0.2, 0.5), "pass", id="at-most-whole-interval-below"),
        pytest.param({"atMost": 0.5}, between(0.2, 0.51), "undecided", id="at-most-limit-inside"),
        pytest.param({"atMost": 0.5}, between(0.51, 0.6), "fail", id="at-most-whole-interval-above"),
        pytest.param(
            {"notWorseThan": "champion", "by": 0.02}, between(-0.02, 0.1), "pass", id="worse-by-no-more-than-the-margin"
        ),
        pytest.param(
            {"notWorseThan": "champion", "by": 0.02}, between(-0.03, 0.1), "undecided", id="maybe-worse-than-the-margin"
        ),
        pytest.param(
            {"notWorseThan": "champion", "by": 0.02}, between(-0.1, -0.03), "fail", id="surely-worse-than-the-margin"
        ),
        pytest.param({"notWorseThan": "dummy"}, between(0.0, 0.1), "pass", id="no-margin-no-worse"),
        pytest.param({"notWorseThan": "legacy"}, between(-0.01, 0.1), "undecided", id="no-margin-limit-inside"),
        pytest.param({"atLeast": 0.5}, UNKNOWN, "undecided", id="no-interval"),
        pytest.param({"notWorseThan": "champion"}, UNKNOWN, "undecided", id="no-interval-of-the-difference"),
        pytest.param({"notWorseThan": "champion"}, Absence("no champion yet", is_pass=True), "pass", id="no-champion"),
        pytest.param({"notWorseThan": "champion"}, Absence("cannot score"), "undecided", id="champion-cannot-score"),
    ],
)
def test_a_gate_is_decided_on_its_bounds(fields: dict[str, Any], found: Estimate | Absence, expected: str) -> None:
    assert decided(a_gate(**fields), found).result == expected


def test_without_a_champion_the_reason_is_given() -> None:
    assert decided(a_gate(notWorseThan="champion"), Absence("no champion yet", is_pass=True)).why == "no champion yet"


def test_a_metric_without_a_direction_cannot_be_not_worse() -> None:
    (result,) = decide([a_gate(metric="selection_rate", notWorseThan="dummy")], {}, {"dummy": Judged({}, {})}, {}, 0.95)
    assert result.result == "undecided"
    assert "no better direction" in result.why


def grouped(shares: dict[str, tuple[float, int]]) -> dict[str, dict[str, dict[str, Estimate]]]:
    return {"band": {name: {"recall": count_estimate(share, rows, 0.95)} for name, (share, rows) in shares.items()}}


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        pytest.param({"a": (0.9, 2000), "b": (0.9, 2000)}, "pass", id="fair-and-many-rows"),
        pytest.param({"a": (0.9, 50), "b": (0.8, 50)}, "undecided", id="few-rows"),
        pytest.param({"a": (0.9, 500), "b": (0.5, 500)}, "fail", id="unfair"),
        pytest.param({"a": (0.9, 500), "b": (0.5, 5)}, "undecided", id="one-group-large-enough"),
        pytest.param({}, "undecided", id="no-groups"),
    ],
)
def test_a_gap_is_decided_on_its_simultaneous_interval(shares: dict[str, tuple[float, int]], expected: str) -> None:
    (result,) = decide([a_gate(gapAcross="band", atMost=0.15)], {}, {}, grouped(shares), 0.95)
    assert result.result == expected


def test_a_gap_says_which_groups_it_is_between_and_which_are_left_out() -> None:
    shares = {"old": (0.9, 500), "young": (0.5, 500), "unknown": (0.5, 5)}
    (result,) = decide([a_gate(gapAcross="band", atMost=0.15)], {}, {}, grouped(shares), 0.95)
    assert "highest in 'old', lowest in 'young'" in result.why
    assert "left out for want of rows: 'unknown'" in result.why


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        pytest.param({"atLeast": 0.5}, "recall at least 0.5", id="at-least"),
        pytest.param({"atMost": 0.25}, "recall at most 0.25", id="at-most"),
        pytest.param({"notWorseThan": "dummy"}, "recall not worse than dummy", id="no-margin"),
        pytest.param(
            {"notWorseThan": "champion", "by": 0.02}, "recall not worse than champion by more than 0.02", id="margin"
        ),
        pytest.param({"gapAcross": "age", "atMost": 0.2}, "gap of recall across age at most 0.2", id="gap"),
    ],
)
def test_a_gate_reads_as_a_sentence(fields: dict[str, Any], text: str) -> None:
    assert gate_text(a_gate(**fields)) == text


def test_rows_needed_grow_with_the_square_of_the_missing_width() -> None:
    assert rows_needed(Estimate(0.6, 0.4, 0.8, 100), 0.5) == 400
    assert rows_needed(Estimate(0.4, 0.2, 0.6, 100), 0.5) == 400
    assert rows_needed(Estimate(0.5, 0.4, 0.6, 100), 0.5) is None
    assert decided(a_gate(atLeast=0.5), Estimate(0.6, 0.4, 0.8, 100)).needed == 400


def test_counts_with_the_rows_needed_would_have_decided() -> None:
    few = count_estimate(0.6, 40, 0.95)
    needed = rows_needed(few, 0.5)
    assert needed is not None
    assert decided(a_gate(atLeast=0.5), few).result == "undecided"
    assert decided(a_gate(atLeast=0.5), count_estimate(0.6, int(needed * 1.1), 0.95)).result == "pass"


Results = Sequence[Literal["pass", "fail", "undecided"]]


@pytest.mark.parametrize(
    ("results", "undecided", "expected"),
    [
        pytest.param([], "fail", "pass", id="no-gates"),
        pytest.param(["pass", "pass"], "fail", "pass", id="all-pass"),
        pytest.param(["pass", "fail"], "fail", "fail", id="one-fails"),
        pytest.param(["pass", "undecided"], "fail", "fail", id="undecided-counts-as-failed"),
        pytest.param(["pass", "undecided"], "pass-with-approval", "undecided", id="undecided-asks-for-approval"),
        pytest.param(["fail", "undecided"], "pass-with-approval", "fail", id="approval-cannot-save-a-failed-gate"),
    ],
)
def test_the_overall_result_follows_the_policy(results: Results, undecided: str, expected: str) -> None:
    gates = [GateResult("g", result, "w", None, 0.5, "low") for result in results]
    found = overall(gates, undecided)
    assert found == expected
    assert sentence(found, gates, undecided)
