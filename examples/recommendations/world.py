# SPDX-License-Identifier: Apache-2.0
"""Who the users are, what the items are, and what a user chooses from a list. What a model cannot see, it cannot copy.

Tastes, budgets and qualities stay in here; the export holds only what the shop could have counted by then.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CATEGORIES = ("books", "camping", "cooking", "cycling", "fashion", "games", "garden", "music", "pets", "tools")
ITEMS = 300
LIST_LENGTH = 12


@dataclass(frozen=True, slots=True)
class World:
    """Users and items."""

    taste: Floats  # shape (users, categories): how much a user likes a category
    budget: Floats  # shape (users,): log of the price that a user likes best
    category: Ints  # shape (items,), index into CATEGORIES
    log_price: Floats  # shape (items,)
    quality: Floats  # shape (items,)


def draw_world(users: int, rng: np.random.Generator) -> World:
    """Draw users, most of whom like two or three categories, and items."""
    return World(
        taste=2.2 * rng.gamma(0.35, 1.0, size=(users, len(CATEGORIES))),
        budget=rng.normal(3.2, 0.7, size=users),
        category=rng.integers(len(CATEGORIES), size=ITEMS),
        log_price=rng.normal(3.2, 0.8, size=ITEMS),
        quality=0.5 * rng.standard_normal(ITEMS),
    )


def show_lists(world: World, rng: np.random.Generator) -> Ints:
    """Return one week's list of each user, shape (users, LIST_LENGTH): different items, better ones more often."""
    users = world.budget.size
    appeal = 0.8 * world.quality + rng.gumbel(size=(users, ITEMS))
    chosen: Ints = np.argpartition(-appeal, LIST_LENGTH, axis=1)[:, :LIST_LENGTH]
    return np.sort(chosen, axis=1)


def choose(world: World, lists: Ints, idle_weeks: Floats, rng: np.random.Generator) -> Ints:
    """Return the position in its list of the item that each user buys, shape (users,); a multinomial logit choice.

    Args:
        world: users and items.
        lists: shape (users, LIST_LENGTH).
        idle_weeks: shape (users, categories); weeks since the user bought of it, inf if never. A category that was
            bought last week is less wanted.
        rng: consumed.
    """
    user = np.arange(lists.shape[0])[:, None]
    category = world.category[lists]
    sated = 1.5 * np.exp(-(idle_weeks[user, category] - 1) / 2)
    too_dear = 1.2 * np.abs(world.log_price[lists] - world.budget[:, None])
    liking = world.quality[lists] + world.taste[user, category] - too_dear - sated
    position: Ints = np.argmax(liking + rng.gumbel(size=lists.shape), axis=1)
    return position
