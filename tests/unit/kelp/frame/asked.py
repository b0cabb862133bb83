# SPDX-License-Identifier: Apache-2.0
"""Histories so small that they forget, what they are asked, and what is compared of them."""

from typing import Any

from hypothesis import strategies as st

from kelp.frame.history import History
from kelp.frame.transform import Transform
from tests.unit.kelp.frame.test_history import ALL, RowsOf, rows
from tests.unit.kelp.frame.windowed import columns_of

FEW_EVENTS, FEW_ENTITIES = 4, 3

requests = st.tuples(st.sampled_from(["answer", "observe", "look"]), st.lists(rows, min_size=1, max_size=4))
"""What a server is asked: how, and about which rows."""

Request = tuple[str, RowsOf]


def a_history(transform: Transform = ALL) -> History:
    """A history so small that it forgets entities and events."""
    return History(transform, most_events=FEW_EVENTS, most_entities=FEW_ENTITIES)


def ask(history: History, request: Request) -> None:
    """Send a request."""
    how, sent = request
    columns = columns_of(history.transform, sent)
    if how == "observe":
        history.observe(columns)
    else:
        getattr(history, how)(columns, len(sent))


def state_of(history: History) -> list[Any]:
    """Everything that later answers depend on, in order of use, and what the limits made it drop."""
    return [
        (
            group.by,
            (group.events, group.dropped_events, group.dropped_entities),
            [
                (key, [(series.times[series.first :].tolist(), list(series.values())) for series in entity])
                for key, entity in group.entities.items()
            ],
        )
        for group in history._groups
    ]
