# SPDX-License-Identifier: Apache-2.0
"""What the shop has counted up to a week: the only place that features come from, so none can know the week itself."""

from dataclasses import dataclass, field

import numpy as np

from examples.recommendations.world import CATEGORIES, ITEMS, Floats, Ints, World

_PRIOR = 3.0  # weeks of average behaviour that a user or an item is given for a start


@dataclass(slots=True)
class History:
    """Counts that grow week by week; `seen_by` reads them, `add` writes them."""

    world: World
    shown: Floats = field(init=False)
    bought: Floats = field(init=False)
    of_category: Floats = field(init=False)
    last_week: Floats = field(init=False)
    price_sum: Floats = field(init=False)
    weeks: int = 0

    def __post_init__(self) -> None:
        users = self.world.budget.size
        self.shown, self.bought = np.zeros(ITEMS), np.zeros(ITEMS)
        self.of_category = np.zeros((users, len(CATEGORIES)))
        self.last_week = np.full((users, len(CATEGORIES)), -np.inf)
        self.price_sum = np.zeros(users)

    @property
    def idle_weeks(self) -> Floats:
        """Weeks since a user bought of a category, >= 1, inf if never; shape (users, categories)."""
        idle: Floats = self.weeks - self.last_week
        return idle

    def seen_by(self, lists: Ints) -> dict[str, Floats]:
        """Return the features of each item of each list, shape (users, LIST_LENGTH) each; NaN where there is none yet.

        `popularity` is the share of an item's showings that were bought, `affinity` the share of a user's purchases
        that are of the item's category (both smoothed), `price_distance` how far the log price is from the mean log
        price of the user's purchases, `weeks_since_category` when the user last bought of the category.
        """
        user = np.arange(lists.shape[0])[:, None]
        category = self.world.category[lists]
        share = 1 / len(CATEGORIES)
        affinity = (self.of_category[user, category] + _PRIOR * share) / (self.weeks + _PRIOR)
        popularity = (self.bought[lists] + _PRIOR / lists.shape[1]) / (self.shown[lists] + _PRIOR)
        idle = self.idle_weeks[user, category]
        mean_price = self.price_sum / self.weeks if self.weeks else np.full(self.price_sum.shape, np.nan)
        return {
            "popularity": np.round(popularity, 4),
            "affinity": np.round(affinity, 4),
            "price_distance": np.round(self.world.log_price[lists] - mean_price[:, None], 3),
            "weeks_since_category": np.where(np.isinf(idle), np.nan, idle),
        }

    def add(self, lists: Ints, position: Ints) -> None:
        """Count a week: the lists, and the position of what each user bought."""
        user = np.arange(lists.shape[0])
        item = lists[user, position]
        category = self.world.category[item]
        self.shown += np.bincount(lists.ravel(), minlength=ITEMS)
        self.bought += np.bincount(item, minlength=ITEMS)
        self.of_category[user, category] += 1
        self.last_week[user, category] = self.weeks
        self.price_sum += self.world.log_price[item]
        self.weeks += 1
