# SPDX-License-Identifier: Apache-2.0
"""The invented world: kinds of merchants, countries and age bands. Constants only.

Merchants are ordered by how often they are paid: the first is paid most, as in Zipf's law.
"""

from typing import NamedTuple


class Merchant(NamedTuple):
    """One kind of merchant."""

    name: str
    typical_amount: float  # median payment, in units of the currency
    online_share: float  # share of its payments made online, 0 to 1
    risk: float  # log odds of fraud added by this merchant


MERCHANTS = (
    Merchant("grocery", 32, 0.05, -0.6),
    Merchant("restaurant", 28, 0.05, -0.4),
    Merchant("fuel", 55, 0.00, -0.2),
    Merchant("marketplace", 38, 1.00, 0.5),
    Merchant("transit", 6, 0.40, -0.6),
    Merchant("pharmacy", 18, 0.10, -0.5),
    Merchant("streaming", 13, 1.00, -0.3),
    Merchant("fashion", 60, 0.55, 0.2),
    Merchant("bakery", 7, 0.00, -0.8),
    Merchant("electronics", 180, 0.60, 1.1),
    Merchant("telecom", 35, 0.70, 0.0),
    Merchant("cash-machine", 110, 0.00, 0.6),
    Merchant("taxi", 19, 0.50, -0.1),
    Merchant("cafe", 8, 0.00, -0.7),
    Merchant("hardware", 65, 0.20, -0.1),
    Merchant("books", 22, 0.60, -0.4),
    Merchant("beauty", 34, 0.30, -0.1),
    Merchant("gaming", 25, 1.00, 0.9),
    Merchant("airline", 320, 0.95, 0.7),
    Merchant("hotel", 210, 0.70, 0.4),
    Merchant("furniture", 260, 0.40, 0.1),
    Merchant("sports", 58, 0.45, 0.0),
    Merchant("toys", 36, 0.50, -0.1),
    Merchant("pets", 30, 0.35, -0.4),
    Merchant("utilities", 95, 0.90, -0.5),
    Merchant("insurance", 120, 0.95, -0.5),
    Merchant("parking", 5, 0.30, -0.6),
    Merchant("cinema", 21, 0.60, -0.3),
    Merchant("software", 45, 1.00, 0.4),
    Merchant("gift-cards", 75, 0.90, 1.6),
    Merchant("jewellery", 290, 0.35, 1.2),
    Merchant("car-rental", 240, 0.75, 0.5),
    Merchant("money-transfer", 190, 0.95, 1.5),
    Merchant("gambling", 50, 1.00, 1.1),
    Merchant("crypto", 150, 1.00, 1.7),
    Merchant("charity", 25, 0.80, -0.2),
    Merchant("education", 140, 0.90, -0.3),
    Merchant("dentist", 130, 0.05, -0.5),
    Merchant("florist", 33, 0.30, -0.2),
    Merchant("auction", 85, 1.00, 0.8),
)

CURRENCIES = {
    "DE": "EUR",
    "AT": "EUR",
    "NL": "EUR",
    "CH": "CHF",
    "FR": "EUR",
    "IT": "EUR",
    "GB": "GBP",
    "US": "USD",
    "PL": "PLN",
    "TR": "TRY",
    "BR": "BRL",
    "TH": "THB",
}
COUNTRIES = tuple(CURRENCIES)
HOME_SHARES = {"DE": 0.7, "AT": 0.12, "NL": 0.08, "CH": 0.1}  # where customers live

AGE_BANDS = {"18-25": 0.2, "26-40": 0.32, "41-60": 0.28, "61+": 0.2}  # share of customers
