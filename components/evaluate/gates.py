# SPDX-License-Identifier: Apache-2.0
"""Gates: a result for each condition of the spec, decided on a confidence bound and never on a point estimate.

Pass needs the bound that luck has to overcome on the good side of the limit; fail needs the whole interval on the
wrong side; all else is undecided, with the number of rows that would decide it. Every gate has to pass, so their number
does not raise the chance that a bad model gets through (an intersection-union test; Berger, Technometrics 1982). Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from components.evaluate.comparison import Absence, Judged
from components.evaluate.gaps import gap
from components.evaluate.intervals import Estimate
from kelp.spec import Gate

Result = Literal["pass", "fail", "undecided"]
Groups = Mapping[str, Mapping[str, Mapping[str, Estimate]]]
"""Protected column, group, metric."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """A gate's result and its evidence.

    Attributes:
        gate: the condition in words.
        result: pass, fail or undecided.
        why: one sentence.
        estimate: the quantity the gate limits, with its interval; None if there was nothing to estimate.
        limit: what the bound is held against.
        side: whether the quantity must stay above (`low` decides) or below (`high` decides) the limit.
        needed: about how many rows instead of `estimate.support` would decide it, if the estimate holds; None if the
            gate is decided or the number cannot be told.
    """

    gate: str
    result: Result
    why: str
    estimate: Estimate | None
    limit: float
    side: Literal["low", "high"]
    needed: int | None = None


def decide(
    gates: Sequence[Gate],
    metrics: Mapping[str, Estimate],
    comparisons: Mapping[str, Judged | Absence],
    groups: Groups,
    confidence: float,
) -> list[GateResult]:
    """Return each gate's result.

    Args:
        gates: of a checked spec, so that exactly one condition is set.
        metrics: the candidate's, by name.
        comparisons: for champion, legacy and dummy, the paired improvement or why there is none.
        groups: the candidate's metrics in each group of each protected column.
        confidence: at which all the intervals were made.
    """
    results = []
    for gate in gates:
        if gate.gap_across is not None:
            results.append(_gap_result(gate, gate.gap_across, groups, confidence))
        elif gate.not_worse_than is not None:
            results.append(_comparison_result(gate, gate.not_worse_than, comparisons, confidence))
        else:
            results.append(_limit_result(gate, metrics[gate.metric], confidence))
    return results


def overall(results: Sequence[GateResult], undecided: str) -> Result:
    """Return fail if any gate failed; undecided gates count as failed unless the spec asks for an approval."""
    found = {result.result for result in results}
    if "fail" in found or ("undecided" in found and undecided == "fail"):
        return "fail"
    return "undecided" if "undecided" in found else "pass"


def gate_text(gate: Gate) -> str:
    """Return the condition in words, numbers as the spec has them."""
    if gate.gap_across is not None:
        return f"gap of {gate.metric} across {gate.gap_across} at most {gate.at_most:g}"
    if gate.not_worse_than is not None:
        margin = f" by more than {gate.by:g}" if gate.by else ""
        return f"{gate.metric} not worse than {gate.not_worse_than}{margin}"
    if gate.at_least is not None:
        return f"{gate.metric} at least {gate.at_least:g}"
    return f"{gate.metric} at most {gate.at_most:g}"


def _limit_result(gate: Gate, found: Estimate, confidence: float) -> GateResult:
    if gate.at_least is not None:
        return _held_against(gate, found, gate.at_least, "low", confidence)
    return _held_against(gate, found, _at_most(gate), "high", confidence)


def _comparison_result(
    gate: Gate, reference: str, comparisons: Mapping[str, Judged | Absence], confidence: float
) -> GateResult:
    other = comparisons.get(reference, Absence(f"no {reference} to compare with"))
    if isinstance(other, Absence):
        result: Result = "pass" if other.is_pass else "undecided"
        return GateResult(gate_text(gate), result, other.reason, None, 0.0 - gate.by, "low")
    found = other.improvement.get(gate.metric)
    if found is None:
        why = f"{gate.metric} has no better direction; limit it or compare it across groups instead"
        return GateResult(gate_text(gate), "undecided", why, None, 0.0 - gate.by, "low")
    return _held_against(gate, found, 0.0 - gate.by, "low", confidence)


def _gap_result(gate: Gate, column: str, groups: Groups, confidence: float) -> GateResult:
    by_group = {name: found[gate.metric] for name, found in groups.get(column, {}).items()}
    found = gap(by_group, confidence)
    result = _held_against(gate, found.estimate, _at_most(gate), "high", confidence)
    notes = [result.why]
    if found.highest != found.lowest:
        notes.append(f"highest in {found.highest!r}, lowest in {found.lowest!r}")
    if found.left_out:
        notes.append(f"left out for want of rows: {', '.join(map(repr, found.left_out))}")
    return GateResult(
        result.gate, result.result, "; ".join(notes), result.estimate, result.limit, result.side, result.needed
    )


def _at_most(gate: Gate) -> float:
    if gate.at_most is None:
        raise ValueError(f"expected atMost in {gate}; the spec's rules were not applied")
    return gate.at_most


def _held_against(
    gate: Gate, found: Estimate, limit: float, side: Literal["low", "high"], confidence: float
) -> GateResult:
    text = gate_text(gate)
    if found.value is None or found.low is None or found.high is None:
        return GateResult(text, "undecided", found.reason, found, limit, side)
    deciding, other = (found.low, found.high) if side == "low" else (found.high, found.low)
    is_good, is_bad = (deciding >= limit, other < limit) if side == "low" else (deciding <= limit, other > limit)
    word = "lower" if side == "low" else "upper"
    quantity = "the improvement's" if gate.not_worse_than else "the"
    why = f"{quantity} {word} {100 * confidence:.4g} % bound is {deciding:.4g}, the limit {limit:.4g}"
    if is_good:
        return GateResult(text, "pass", why, found, limit, side)
    if is_bad:
        why = f"the whole interval from {found.low:.4g} to {found.high:.4g} is on the wrong side of {limit:.4g}"
        return GateResult(text, "fail", why, found, limit, side)
    needed = rows_needed(found, limit)
    if needed is not None:
        why += (
            f"; about {needed:,} {found.unit} instead of {found.support:,} would decide it if {found.value:.4g} holds"
        )
    return GateResult(text, "undecided", why, found, limit, side, needed)


def rows_needed(found: Estimate, limit: float) -> int | None:
    """Return at how many rows the interval, shrinking with their square root, would leave the limit outside.

    None for an estimate without bounds or equal to the limit.
    """
    if found.value is None or found.low is None or found.high is None or found.value == limit:
        return None
    reach = found.value - found.low if found.value > limit else found.high - found.value
    return max(ceil(found.support * (reach / (found.value - limit)) ** 2), found.support + 1)
