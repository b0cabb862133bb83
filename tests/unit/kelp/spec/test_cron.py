# SPDX-License-Identifier: Apache-2.0
"""Five-field cron: what a Kubernetes CronJob takes and what it refuses."""

import pytest

from kelp.spec.cron import check_cron


@pytest.mark.parametrize(
    "text",
    [
        "* * * * *",
        "0 3 * * 1",
        "*/15 0-6 1,15 * *",
        "0 0 1 JAN-mar mon-FRI",
        "5/10 * * * *",
        "59 23 31 12 6",
        "0  3\t* * 0",
    ],
)
def test_a_right_expression_is_kept_as_it_is(text: str) -> None:
    assert check_cron(text) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("0 0 3 * * 1", "found six; leave out the field of seconds, kelp writes it", id="six fields"),
        pytest.param("@daily", "expected five cron fields .minute hour day month weekday., found 1", id="a word"),
        pytest.param("", "found 0", id="nothing"),
        pytest.param("0 3 * *", "found 4", id="four fields"),
        pytest.param("60 * * * *", "expected the minute to be made of 0 to 59, .*, found '60'", id="minute 60"),
        pytest.param("0 24 * * *", "the hour .* 0 to 23, .* found '24'", id="hour 24"),
        pytest.param("0 0 0 * *", "the day of the month .* 1 to 31, .* found '0'", id="day 0"),
        pytest.param("0 0 * 13 *", "the month .* 1 to 12, jan to dec, .* found '13'", id="month 13"),
        pytest.param("0 0 * * 7", "the day of the week .* 0 to 6, sun to sat, .* found '7'", id="weekday 7"),
        pytest.param("mon * * * *", "the minute", id="a day for a minute"),
        pytest.param("*/0 * * * *", "the minute", id="a step of nothing"),
        pytest.param("30-10 * * * *", "the minute", id="backwards"),
        pytest.param("*-5 * * * *", "the minute", id="a range from all"),
        pytest.param("1,,2 * * * *", "the minute", id="an empty item"),
        pytest.param("² * * * *", "the minute", id="a digit that is none"),
        pytest.param("0 0 * * mo", "the day of the week", id="half a word"),
    ],
)
def test_a_wrong_expression_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_cron(text)
