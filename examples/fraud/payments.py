# SPDX-License-Identifier: Apache-2.0
"""Draw the payments: who pays what, where, when and how. Labels come from `label`, dirt from `dirt`.

Each group of columns has its own random stream, named after it, so a knob moves only what it is meant to move.
"""

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from examples.fraud.merchants import AGE_BANDS, COUNTRIES, CURRENCIES, HOME_SHARES, MERCHANTS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Strings = npt.NDArray[np.str_]

START = np.datetime64("2026-01-01T00:00:00", "s")
SECONDS_PER_DAY = 86_400

# Payments per hour of the day, 0 to 23, relative: quiet nights, a peak at noon and one after work.
_HOURS = np.array([3, 2, 2, 1, 1, 2, 6, 14, 24, 30, 34, 40, 46, 42, 36, 36, 40, 48, 50, 42, 30, 20, 12, 6], dtype=float)


@dataclass(frozen=True, slots=True)
class Knobs:
    """What may be turned away from normal; every value lies between 0 (off) and 1.

    Attributes:
        covariate_drift: larger amounts and more payments online; the rule that makes fraud stays.
        concept_drift: share of payments that follow a new rule of fraud; every other column stays.
        group_bias: share of the age band 61+ whose label says nothing about its columns.
    """

    covariate_drift: float = 0.0
    concept_drift: float = 0.0
    group_bias: float = 0.0


@dataclass(frozen=True, slots=True)
class Payments:
    """Clean payments in order of time; every array has shape (rows,)."""

    time: npt.NDArray[np.datetime64]  # UTC, whole seconds
    customer: Ints
    home: Strings
    age_band: Strings
    merchant: Ints  # index into MERCHANTS
    country: Strings
    channel: Strings
    amount: Floats  # units of the currency, two decimals, > 0
    card_age_days: Ints
    device_score: Floats  # 0 (suspicious) to 1 (trusted), before some go missing

    @property
    def is_foreign(self) -> Bools:
        """Whether the merchant sits in another country than the customer."""
        foreign: Bools = self.country != self.home
        return foreign

    @property
    def hour(self) -> Ints:
        """Hour of the day in UTC, 0 to 23."""
        seconds = (self.time - START).astype(np.int64)
        return seconds % SECONDS_PER_DAY // 3600

    @property
    def currency(self) -> Strings:
        """ISO 4217 code of the merchant's country."""
        return np.array([CURRENCIES[country] for country in self.country])


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the random stream of one group of columns; streams of different names are independent."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def draw_payments(rows: int, days: int, seed: int, knobs: Knobs) -> Payments:
    """Draw clean payments.

    Args:
        rows: number of payments, >= 1.
        days: length of the export from `START`, >= 1.
        seed: >= 0; the same arguments give the same payments.
        knobs: only `covariate_drift` matters here.
    """
    customer, home, age_band = _customers(rows, stream(seed, "customer"))
    merchant = stream(seed, "merchant").choice(len(MERCHANTS), size=rows, p=_zipf(len(MERCHANTS)))
    channel = _channels(merchant, knobs.covariate_drift, stream(seed, "channel"))
    other = stream(seed, "other")
    return Payments(
        time=_times(rows, days, stream(seed, "time")),
        customer=customer,
        home=home,
        age_band=age_band,
        merchant=merchant,
        country=_countries(home, channel, stream(seed, "country")),
        channel=channel,
        amount=_amounts(merchant, knobs.covariate_drift, stream(seed, "amount")),
        card_age_days=1 + other.exponential(450, size=rows).astype(np.int64),
        device_score=np.round(other.beta(4, 1.6, size=rows), 3),
    )


def _zipf(count: int) -> Floats:
    weights = 1 / np.arange(1, count + 1)
    shares: Floats = weights / weights.sum()
    return shares


def _times(rows: int, days: int, rng: np.random.Generator) -> npt.NDArray[np.datetime64]:
    day = rng.integers(days, size=rows)
    hour = rng.choice(24, size=rows, p=_HOURS / _HOURS.sum())
    seconds = np.sort(day * SECONDS_PER_DAY + hour * 3600 + rng.integers(3600, size=rows))
    return START + seconds.astype("timedelta64[s]")


def _customers(rows: int, rng: np.random.Generator) -> tuple[Ints, Strings, Strings]:
    """Return each row's customer, their home country and their age band."""
    count = max(20, rows // 15)
    activity = rng.pareto(2.5, size=count) + 0.2
    homes = rng.choice(list(HOME_SHARES), size=count, p=list(HOME_SHARES.values()))
    bands = rng.choice(list(AGE_BANDS), size=count, p=list(AGE_BANDS.values()))
    customer = rng.choice(count, size=rows, p=activity / activity.sum())
    return customer, homes[customer], bands[customer]


def _channels(merchant: Ints, drift: float, rng: np.random.Generator) -> Strings:
    """Choose online by the merchant's share, a cash machine's ATM, else contactless or chip."""
    online_share = np.array([kind.online_share for kind in MERCHANTS])[merchant]
    is_online = rng.random(merchant.size) < online_share + drift * 0.5 * (1 - online_share)
    at_till = np.where(rng.random(merchant.size) < 0.6, "contactless", "chip")
    cash_machine = next(index for index, kind in enumerate(MERCHANTS) if kind.name == "cash-machine")
    offline = np.where(merchant == cash_machine, "atm", at_till)
    return np.where(is_online & (merchant != cash_machine), "online", offline)


def _countries(home: Strings, channel: Strings, rng: np.random.Generator) -> Strings:
    abroad = rng.random(home.size) < np.where(channel == "online", 0.22, 0.06)
    return np.where(abroad, rng.choice(COUNTRIES, size=home.size), home)


def _amounts(merchant: Ints, drift: float, rng: np.random.Generator) -> Floats:
    typical = np.array([kind.typical_amount for kind in MERCHANTS])[merchant]
    amounts = typical * np.exp(0.8 * rng.standard_normal(merchant.size) + 0.6 * drift)
    rounded: Floats = np.maximum(np.round(amounts, 2), 0.01)
    return rounded
