# SPDX-License-Identifier: Apache-2.0
"""The invented chain: its shops, its products and the days on which it is closed or celebrates. Constants only."""

from typing import NamedTuple


class Product(NamedTuple):
    """One product, the same in every shop."""

    name: str
    daily_units: float  # sold in an average shop on an average day, without a promotion
    price: float
    summer: float  # log of how much more is sold in the middle of summer than in spring; negative: sold in winter
    trend: float  # log growth a year


PRODUCTS = (
    Product("apples", 42, 2.5, -0.1, 0.02),
    Product("bread", 60, 3.2, 0.0, 0.0),
    Product("butter", 25, 2.3, -0.1, 0.03),
    Product("charcoal", 9, 7.9, 1.2, 0.0),
    Product("coffee", 18, 6.5, -0.2, 0.05),
    Product("ice-cream", 22, 3.9, 1.0, 0.05),
    Product("lemonade", 30, 1.4, 0.6, 0.1),
    Product("milk", 70, 1.2, 0.0, -0.05),
    Product("oat-milk", 15, 2.1, 0.0, 0.3),
    Product("soup", 12, 1.9, -0.8, 0.0),
    Product("tea", 10, 3.0, -0.5, 0.0),
    Product("protein-bar", 14, 1.8, 0.1, 0.2),
)
NEW_PRODUCT = "protein-bar"  # sold for the last NEW_DAYS days only
NEW_DAYS = 120

SHOPS = {
    "airport": 1.3,
    "campus": 0.8,
    "centre": 1.6,
    "harbour": 1.0,
    "hill": 0.6,
    "mall": 1.4,
    "park": 0.7,
    "west": 0.9,
}
"""How much a shop sells, relative to an average one."""

WEEK = (0.85, 0.8, 0.85, 0.95, 1.2, 1.45, 0.9)  # Monday to Sunday
CAMPUS_WEEK = (1.2, 1.2, 1.2, 1.15, 1.0, 0.7, 0.55)  # students shop on other days than families
HOLIDAYS = ("01-01", "05-01", "10-03", "12-25", "12-26")  # month and day; the shops are open, for half the day
CLOSED_SHOP = "hill"  # shut for CLOSED_DAYS days, CLOSED_FROM days after the start: a hole in its series
CLOSED_FROM, CLOSED_DAYS = 400, 21
