# SPDX-License-Identifier: Apache-2.0
"""Copies that are made bit by bit, while rows come in between."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelp.frame.history_table import snapshot_of
from tests.unit.kelp.frame.asked import Request, a_history, ask, requests, state_of


@given(st.lists(requests, max_size=12), st.lists(st.tuples(st.integers(0, 2), requests), max_size=12))
def test_copy_is_of_the_moment_at_which_it_began(before: list[Request], after: list[tuple[int, Request]]) -> None:
    history = a_history()
    for request in before:
        ask(history, request)
    expected = state_of(history)
    copies = [group.begin_copy() for group in history._groups]
    for steps, request in after:
        for copy in copies:
            copy.add(steps)
        ask(history, request)
    for copy in copies:
        assert not copy.add(1000)
    again = a_history()
    again.start_again(snapshot_of(copies))
    assert state_of(again) == expected


def test_no_row_is_taken_in_at_the_moment_of_a_copy_and_none_is_told_to_it_afterwards() -> None:
    history = a_history()
    ask(history, ("observe", [{"at": 1.0, "sku": "a", "price": 1.0}]))
    expected = state_of(history)
    was_busy: list[bool] = []
    copies = history.copy(lambda: was_busy.append(history.is_busy))
    assert (was_busy, history.is_busy) == ([True], False)
    ask(history, ("observe", [{"at": 2.0, "sku": "b", "price": 1.0}]))
    again = a_history()
    again.start_again(snapshot_of(copies))
    assert state_of(again) == expected


def test_copy_that_cannot_begin_leaves_the_history_as_it_was() -> None:
    history = a_history()
    with pytest.raises(OSError, match="full"):
        history.copy(refuse)
    ask(history, ("observe", [{"at": 1.0, "sku": "a", "price": 1.0}]))
    assert history.facts()["entities"] == len(history._groups) - 1


def refuse() -> None:
    raise OSError("full")
