# SPDX-License-Identifier: Apache-2.0
"""Play the weeks, and put every item of every list into the table the shop would export."""

import numpy as np
import pyarrow as pa

from examples.recommendations.history import History
from examples.recommendations.world import CATEGORIES, LIST_LENGTH, Ints, World, choose, draw_world, show_lists

START = np.datetime64("2026-01-05T00:00:00", "s")  # a Monday
WARM_UP = 6  # weeks that are played before the export begins, so that its first rows have a history
WEEK_S = 7 * 86_400

SCHEMA = pa.schema(
    [
        ("shown_at", pa.timestamp("us", tz="UTC")),
        ("user_id", pa.string()),
        ("item_id", pa.string()),
        ("category", pa.string()),
        ("price", pa.float64()),
        ("popularity", pa.float64()),
        ("affinity", pa.float64()),
        ("price_distance", pa.float64()),
        ("weeks_since_category", pa.float64()),
        ("bought", pa.string()),
    ]
)


def make_lists(users: int, weeks: int, seed: int) -> pa.Table:
    """Return the export, `SCHEMA`: `LIST_LENGTH` rows a user and week, of which one was bought, in order of time.

    Args:
        users: >= 1.
        weeks: length from 2026-01-05, >= 1.
        seed: >= 0; the same arguments give the same table.
    """
    rng = np.random.default_rng([seed, 1])
    world = draw_world(users, rng)
    history = History(world)
    parts = []
    for week in range(-WARM_UP, weeks):
        lists = show_lists(world, rng)
        features = history.seen_by(lists)
        position = choose(world, lists, history.idle_weeks, rng)
        moments = rng.choice(WEEK_S, size=users, replace=False) + week * WEEK_S
        history.add(lists, position)
        if week >= 0:
            parts.append(_rows(world, lists, moments, features, position))
    return pa.concat_tables(parts)


def _rows(world: World, lists: Ints, moments: Ints, features: dict[str, np.ndarray], position: Ints) -> pa.Table:
    """One week's rows, in order of time; features that are NaN become missing."""
    users = np.arange(lists.shape[0])
    item = lists.ravel()
    columns: dict[str, np.ndarray] = {
        "shown_at": np.repeat(START + moments.astype("timedelta64[s]"), LIST_LENGTH).astype("datetime64[us]"),
        "user_id": np.repeat(np.array([f"user-{user:05}" for user in users]), LIST_LENGTH),
        "item_id": np.array([f"item-{number:04}" for number in item]),
        "category": np.array(CATEGORIES)[world.category[item]],
        "price": np.round(np.exp(world.log_price[item]), 2),
        **{name: values.ravel() for name, values in features.items()},
        "bought": np.where(np.arange(LIST_LENGTH) == position[:, None], "true", "false").ravel(),
    }
    arrays = [pa.array(columns[each.name], type=each.type, from_pandas=True) for each in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA).take(np.argsort(np.repeat(moments, LIST_LENGTH), kind="stable"))
