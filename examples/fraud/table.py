# SPDX-License-Identifier: Apache-2.0
"""Put the payments into the table a bank would export: names, types, missing values and dirty rows.

A dirty row breaks the contract of `models/fraud.yaml` in one of four ways. All but one of them look the same in every
format; text in `amount` exists in CSV only, typed Parquet holds -1 there.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from examples.fraud.label import draw_labels, draw_old_scores
from examples.fraud.merchants import MERCHANTS
from examples.fraud.payments import Bools, Ints, Knobs, Payments, Strings, draw_payments, stream

SCHEMA = pa.schema(
    [
        ("payment_id", pa.string()),
        ("event_time", pa.timestamp("us", tz="UTC")),
        ("customer_id", pa.string()),
        ("email", pa.string()),
        ("amount", pa.float64()),
        ("currency", pa.string()),
        ("merchant", pa.string()),
        ("merchant_country", pa.string()),
        ("channel", pa.string()),
        ("card_age_days", pa.int64()),
        ("is_foreign", pa.bool_()),
        ("age_band", pa.string()),
        ("device_score", pa.float64()),
        ("old_score", pa.float64()),
        ("is_fraud", pa.string()),
    ]
)
UNREADABLE_AMOUNT = "12,5O EUR"  # a letter for a digit, as a typist leaves it
_DIRT = ("negative amount", "no payment_id", "no event_time", "unreadable amount")


@dataclass(frozen=True, slots=True)
class Export:
    """One export, in order of time, before it is cut into files.

    Attributes:
        table: `SCHEMA`; shape (rows, 15).
        month: shape (rows,), such as "2026-01"; known also where `event_time` is missing.
        unreadable: shape (rows,); rows whose amount is text in CSV.
        dirty: number of dirty rows.
    """

    table: pa.Table
    month: Strings
    unreadable: Bools
    dirty: int


def make_export(*, rows: int, days: int, seed: int, knobs: Knobs, dirty_share: float) -> Export:
    """Draw payments, their labels and their dirt.

    Args:
        rows: number of payments, >= 1.
        days: length of the export, >= 1.
        seed: >= 0; the same arguments give the same export.
        knobs: what to turn away from normal.
        dirty_share: share of dirty rows, 0 to 1, rounded to whole rows and dealt evenly over the kinds.
    """
    payments = draw_payments(rows, days, seed, knobs)
    dirt = _draw_dirt(rows, dirty_share, seed)
    columns = _columns(payments, seed, knobs)
    columns["amount"] = np.where(np.isin(dirt, (0, 3)), -1.0, payments.amount)
    masks = {
        "payment_id": dirt == 1,
        "event_time": dirt == 2,
        "email": stream(seed, "email").random(rows) < 0.05,
        "device_score": stream(seed, "missing").random(rows) < 0.08,
    }
    arrays = [pa.array(columns[field.name], type=field.type, mask=masks.get(field.name)) for field in SCHEMA]
    return Export(
        table=pa.Table.from_arrays(arrays, schema=SCHEMA),
        month=payments.time.astype("datetime64[M]").astype(np.str_),
        unreadable=dirt == 3,
        dirty=int((dirt >= 0).sum()),
    )


def _draw_dirt(rows: int, share: float, seed: int) -> Ints:
    """Return each row's index into `_DIRT`, or -1 for a clean row."""
    dirt = np.full(rows, -1)
    chosen = stream(seed, "dirt").permutation(rows)[: round(rows * share)]
    dirt[chosen] = np.arange(chosen.size) % len(_DIRT)
    return dirt


def _columns(payments: Payments, seed: int, knobs: Knobs) -> dict[str, np.ndarray]:
    rows = payments.amount.size
    return {
        "payment_id": np.array([f"pay-{row:09}" for row in range(1, rows + 1)]),
        "event_time": payments.time.astype("datetime64[us]"),
        "customer_id": np.array([f"customer-{customer:06}" for customer in payments.customer]),
        "email": np.array([f"customer{customer}@example.com" for customer in payments.customer]),
        "currency": payments.currency,
        "merchant": np.array([kind.name for kind in MERCHANTS])[payments.merchant],
        "merchant_country": payments.country,
        "channel": payments.channel,
        "card_age_days": payments.card_age_days,
        "is_foreign": payments.is_foreign,
        "age_band": payments.age_band,
        "device_score": payments.device_score,
        "old_score": draw_old_scores(payments, seed),
        "is_fraud": np.where(draw_labels(payments, seed, knobs), "true", "false"),
    }
