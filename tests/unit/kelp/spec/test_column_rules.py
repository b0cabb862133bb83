# SPDX-License-Identifier: Apache-2.0
"""The rules of one declared column, with the exact line that each says."""

from typing import Any

import pytest

from kelp.spec import Column
from kelp.spec.column_rules import column_problems


def problems_of(column: dict[str, Any]) -> list[str]:
    return list(column_problems(Column.model_validate(column), "c"))


@pytest.mark.parametrize(
    ("column", "line"),
    [
        pytest.param(
            {"type": "category", "min": 0},
            "min: expected only on int and float, found it on category",
            id="min-of-a-word",
        ),
        pytest.param(
            {"type": "bool", "max": 1}, "max: expected only on int and float, found it on bool", id="max-of-a-bool"
        ),
        pytest.param(
            {"type": "float", "min": 2, "max": 1.5}, "min: expected at most max (1.5), found 2", id="min-over-max"
        ),
        pytest.param(
            {"type": "category", "clip": "1%"}, "clip: expected only on int and float, found it on category", id="clip"
        ),
        pytest.param(
            {"type": "float", "clip": "50%"}, "clip: expected more than 0% and less than 50%, found 50%", id="clip-all"
        ),
        pytest.param(
            {"type": "bool", "monotone": "increasing"},
            "monotone: expected only on int and float, found it on bool",
            id="monotone-bool",
        ),
        pytest.param(
            {"type": "category", "missing": "median"},
            "missing: expected mode, constant, other, drop on category, found median",
            id="median-of-words",
        ),
        pytest.param(
            {"type": "float", "missing": "other"},
            "missing: expected median, mean, mode, constant, drop on float, found other",
            id="other-number",
        ),
        pytest.param(
            {"type": "timestamp", "missing": "mode"},
            "missing: expected drop on timestamp, found mode",
            id="mode-of-times",
        ),
        pytest.param(
            {"type": "float", "missing": "constant"},
            "fill: expected together with `missing: constant`, found missing alone",
            id="constant-without-fill",
        ),
        pytest.param(
            {"type": "float", "fill": 0},
            "fill: expected together with `missing: constant`, found fill alone",
            id="fill-without-constant",
        ),
        pytest.param(
            {"type": "float", "missing": "constant", "fill": "low"},
            "fill: expected a number on float, found 'low'",
            id="word-fills-number",
        ),
        pytest.param(
            {"type": "float", "missing": "constant", "fill": True},
            "fill: expected a number on float, found True",
            id="true-fills-number",
        ),
        pytest.param(
            {"type": "bool", "missing": "constant", "fill": 1},
            "fill: expected true or false on bool, found 1",
            id="number-fills-bool",
        ),
        pytest.param(
            {"type": "category", "missing": "constant", "fill": 1},
            "fill: expected a word on category, found 1",
            id="number-fills-word",
        ),
        pytest.param(
            {"type": "float", "privacy": "drop", "feature": True},
            "privacy: expected no feature and no group on a private column, found drop",
            id="private-feature",
        ),
        pytest.param(
            {"type": "string", "privacy": "pseudonymise", "protected": True},
            "privacy: expected no feature and no group on a private column, found pseudonymise",
            id="private-group",
        ),
        pytest.param(
            {"type": "float", "protected": True},
            "protected: expected a column of int, bool, category, string, found float",
            id="groups-of-floats",
        ),
    ],
)
def test_a_broken_rule_says_where_what_was_expected_and_found(column: dict[str, Any], line: str) -> None:
    assert problems_of(column) == [f"c.{line}"]


@pytest.mark.parametrize(
    "column",
    [
        pytest.param({"type": "float", "min": 1, "max": 1}, id="one value"),
        pytest.param({"type": "float", "missing": "constant", "fill": 0}, id="constant number"),
        pytest.param({"type": "bool", "missing": "constant", "fill": False}, id="constant bool"),
        pytest.param({"type": "category", "missing": "constant", "fill": "none"}, id="constant word"),
        pytest.param({"type": "category", "missing": "other"}, id="other category"),
    ],
)
def test_a_right_column_has_no_problems(column: dict[str, Any]) -> None:
    assert problems_of(column) == []
