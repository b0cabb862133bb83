# SPDX-License-Identifier: Apache-2.0
"""Decide which payments are fraud, and what the old system thought of them.

A payment is fraud when its risk (log odds, from its columns) plus logistic noise passes a constant threshold, so a
shift of the columns leaves the rule alone. The old system sees the amount, the country and a lot of noise.
"""

import numpy as np

from examples.fraud.merchants import MERCHANTS
from examples.fraud.payments import Bools, Floats, Knobs, Payments, stream

_THRESHOLD = 9.2  # gives 2% fraud with every knob at 0
_NOISE = 0.55  # scale of the logistic noise: what no model can know
_NEW_RULE_THRESHOLD = 12.9  # about as much fraud under the new rule


def draw_labels(payments: Payments, seed: int, knobs: Knobs) -> Bools:
    """Return whether each payment is fraud, shape (rows,)."""
    rows = payments.amount.size
    follows_new_rule = stream(seed, "concept").random(rows) < knobs.concept_drift
    margin = np.where(follows_new_rule, new_risk(payments) - _NEW_RULE_THRESHOLD, risk(payments) - _THRESHOLD)
    noise = stream(seed, "label").logistic(scale=_NOISE, size=rows)
    is_fraud: Bools = margin + noise > 0
    return _shuffle_band(is_fraud, payments, seed, knobs.group_bias)


def risk(payments: Payments) -> Floats:
    """Log odds of fraud under the normal rule: large, distrusted, online on a new card, or cash abroad."""
    is_online = payments.channel == "online"
    is_new_card = payments.card_age_days < 90
    is_cash = payments.channel == "atm"
    log_odds: Floats = (
        _merchant_risk(payments)
        + 1.3 * _size(payments)
        + 7.0 * (1 - payments.device_score)
        + 2.5 * (is_online & is_new_card)
        + 1.5 * is_online
        + 1.5 * payments.is_foreign
        + 3.0 * (is_cash & payments.is_foreign)
        + 0.5 * (payments.hour < 6)
    )
    return log_odds


def new_risk(payments: Payments) -> Floats:
    """Log odds of fraud under the new rule: small test payments without a chip, on old and trusted cards."""
    is_contactless = payments.channel == "contactless"
    log_odds: Floats = (
        -_merchant_risk(payments)
        - 1.3 * _size(payments)
        + 5.0 * payments.device_score
        + 2.5 * is_contactless
        + 2.0 * (payments.card_age_days > 700)
        + 2.0 * ~payments.is_foreign
    )
    return log_odds


def draw_old_scores(payments: Payments, seed: int) -> Floats:
    """Return the old system's score, 0 (harmless) to 1 (fraud), shape (rows,); clearly worse than a good model."""
    noise = stream(seed, "old_score").normal(scale=1.5, size=payments.amount.size)
    log_odds = 1.2 * _size(payments) + 1.0 * payments.is_foreign + 0.8 * (payments.channel == "online") + noise - 3
    scores: Floats = np.round(1 / (1 + np.exp(-log_odds)), 4)
    return scores


def _merchant_risk(payments: Payments) -> Floats:
    added: Floats = np.array([kind.risk for kind in MERCHANTS])[payments.merchant]
    return added


def _size(payments: Payments) -> Floats:
    """Size of the payment on a log scale: 0 at 40, 1 at about 109, never beyond 3 either way."""
    size: Floats = np.clip(np.log(payments.amount / 40), -3, 3)
    return size


def _shuffle_band(is_fraud: Bools, payments: Payments, seed: int, share: float) -> Bools:
    """Deal the labels of `share` of the band 61+ out again among themselves: as much fraud, nothing to learn."""
    rng = stream(seed, "group")
    chosen = np.flatnonzero((payments.age_band == "61+") & (rng.random(is_fraud.size) < share))
    shuffled = is_fraud.copy()
    shuffled[chosen] = is_fraud[rng.permutation(chosen)]
    return shuffled
