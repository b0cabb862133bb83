# SPDX-License-Identifier: Apache-2.0
"""Metrics of the order that binary scores put rows in. Pure; `metrics` lists them."""

import numpy as np

from components.evaluate.truth import FloatArray, Statistic, Truth, sums_statistic

AT = 10  # positions that NDCG looks at


def ranks(truth: Truth, score: FloatArray) -> Statistic:
    """Area under the ROC curve (ties count half) and average precision, from one sorting.

    Walking down the sorted scores, only positive rows add to either area. A positive row's threshold takes in every
    row of equal score, so counts are read where its run of ties starts and ends.
    """
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    new_run = np.flatnonzero(np.diff(ranked, prepend=np.inf))
    run = np.cumsum(np.bincount(new_run, minlength=len(ranked))) - 1
    starts, ends = new_run[run], np.append(new_run[1:], len(ranked))[run]
    positive = np.flatnonzero(truth.target[order] == 1)
    first = np.searchsorted(positive, starts[positive])
    last = np.searchsorted(positive, ends[positive])
    start, end = starts[positive], ends[positive]

    def statistic(weights: FloatArray) -> FloatArray:
        in_order = weights[:, order]
        rows_above = np.zeros((len(weights), len(order) + 1))
        np.cumsum(in_order, axis=1, out=rows_above[:, 1:])
        weight = in_order[:, positive]
        true_above = np.zeros((len(weights), len(positive) + 1))
        np.cumsum(weight, axis=1, out=true_above[:, 1:])
        positives = true_above[:, -1]
        negatives = rows_above[:, -1] - positives
        true_end, all_end = true_above[:, last], rows_above[:, end]
        false_mid = (all_end - true_end + rows_above[:, start] - true_above[:, first]) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            area = 1 - (weight * false_mid).sum(axis=1) / (positives * negatives)
            precision = (weight * true_end / np.maximum(all_end, 1e-12)).sum(axis=1) / positives
        values = np.stack([area, precision], axis=1)
        values[~np.isfinite(values)] = np.nan
        return values

    return statistic


def ndcg(truth: Truth, score: FloatArray) -> Statistic:
    """Mean over entities of the normalised discounted cumulative gain of their first ten rows.

    Weights belong to entities. Only those with two rows or more and a positive among them count (Jarvelin & Kekalainen,
    TOIS 2002). Rows of equal score share the discounts of the places they take, which is the expected value over their
    orders (McSherry & Najork, ECIR 2008).
    """
    if truth.entities is None:
        return lambda weights: np.full((len(weights), 1), np.nan)
    gains, has_gain = entity_gains(truth, score)
    return sums_statistic(np.stack([gains, has_gain], axis=1), lambda sums: [sums[0] / sums[1]])


def entity_gains(truth: Truth, score: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return each entity's NDCG (0 where it has none) and whether it has one (0 or 1), shape (n_entities,)."""
    entities = truth.units("entity")
    order = np.lexsort((-score, entities.of_row))
    entity, ranked, relevant = entities.of_row[order], score[order], truth.target[order]
    rows = np.bincount(entity, minlength=entities.count)
    place = np.arange(len(order)) - (np.cumsum(rows) - rows)[entity]
    is_new = np.ones(len(order), dtype=bool)
    is_new[1:] = (np.diff(entity) != 0) | (np.diff(ranked) != 0)
    run = np.cumsum(is_new) - 1
    discount = np.where(place < AT, 1 / np.log2(place + 2.0), 0.0)
    share = (np.bincount(run, relevant) / np.bincount(run))[run]
    gained = np.bincount(entity, share * discount, entities.count)
    positives = np.bincount(entity, relevant, entities.count).astype(np.intp)
    ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(AT) + 2.0))])[np.minimum(positives, AT)]
    has_gain = (rows >= 2) & (positives >= 1)
    return np.where(has_gain, gained / np.where(has_gain, ideal, 1.0), 0.0), has_gain.astype(np.float64)
