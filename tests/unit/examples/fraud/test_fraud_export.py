# SPDX-License-Identifier: Apache-2.0
"""What an export holds, and that each knob moves what it says and nothing else."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from examples.fraud.payments import Knobs
from examples.fraud.table import SCHEMA, Export, make_export

ROWS = 20_000


def an_export(
    *,
    rows: int = ROWS,
    days: int = 90,
    seed: int = 7,
    dirty_share: float = 0.0,
    covariate_drift: float = 0.0,
    concept_drift: float = 0.0,
    group_bias: float = 0.0,
) -> Export:
    knobs = Knobs(covariate_drift=covariate_drift, concept_drift=concept_drift, group_bias=group_bias)
    return make_export(rows=rows, days=days, seed=seed, knobs=knobs, dirty_share=dirty_share)


def values(table: pa.Table, column: str) -> npt.NDArray[np.object_]:
    return np.array(table[column].to_pylist(), dtype=object)


def is_fraud(table: pa.Table) -> npt.NDArray[np.bool_]:
    return np.array(values(table, "is_fraud") == "true", dtype=bool)


def changed_columns(one: Export, other: Export) -> set[str]:
    return {name for name in SCHEMA.names if not one.table[name].equals(other.table[name])}


def kolmogorov_smirnov(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    grid = np.sort(np.concatenate([one, other]))
    shares = [np.searchsorted(np.sort(sample), grid, side="right") / sample.size for sample in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


@pytest.mark.parametrize("seed", [pytest.param(seed, id=f"seed-{seed}") for seed in (1, 7, 8)])
def test_one_to_two_and_a_half_percent_are_fraud(seed: int) -> None:
    assert 0.01 < is_fraud(an_export(seed=seed).table).mean() < 0.025


@pytest.mark.parametrize(
    ("column", "share"),
    [pytest.param("device_score", 0.08, id="device_score"), pytest.param("email", 0.05, id="email")],
)
def test_values_are_missing_at_the_stated_share(column: str, share: float) -> None:
    assert an_export().table[column].null_count / ROWS == pytest.approx(share, abs=0.01)


def test_nothing_else_is_missing_in_a_clean_export() -> None:
    table = an_export().table
    assert {name for name in SCHEMA.names if table[name].null_count} == {"device_score", "email"}


def test_rows_are_in_order_of_time_and_inside_the_days() -> None:
    times = values(an_export(days=10).table, "event_time")
    assert list(times) == sorted(times)
    assert times[0].isoformat() >= "2026-01-01T00:00:00+00:00"
    assert times[-1].isoformat() < "2026-01-11T00:00:00+00:00"


def test_night_is_quiet() -> None:
    hours = np.array([time.hour for time in values(an_export().table, "event_time")])
    assert (hours < 6).mean() < 0.05


def test_amounts_are_positive_and_skewed() -> None:
    amounts = values(an_export().table, "amount").astype(float)
    assert amounts.min() > 0
    assert amounts.mean() > 1.5 * np.median(amounts)


def test_few_of_forty_merchants_take_most_payments() -> None:
    counts = np.array([count["counts"] for count in pc.value_counts(an_export().table["merchant"]).to_pylist()])
    assert counts.size == 40
    assert np.sort(counts)[-10:].sum() > 0.6 * ROWS


def test_payment_ids_are_unique() -> None:
    assert pc.count_distinct(an_export().table["payment_id"]).as_py() == ROWS


def test_a_dirty_share_gives_exactly_that_many_rows_of_every_kind() -> None:
    export = an_export(dirty_share=0.004)
    table = export.table
    assert export.dirty == 80
    assert table["payment_id"].null_count == 20
    assert table["event_time"].null_count == 20
    assert (values(table, "amount").astype(float) < 0).sum() == 40
    assert export.unreadable.sum() == 20


def test_dirt_changes_only_the_columns_it_soils() -> None:
    assert changed_columns(an_export(), an_export(dirty_share=0.004)) == {"payment_id", "event_time", "amount"}


def test_the_default_dirt_stays_below_what_the_spec_allows() -> None:
    assert an_export(dirty_share=0.002).dirty / ROWS < 0.01


def test_another_seed_gives_other_payments() -> None:
    assert changed_columns(an_export(seed=1), an_export(seed=2)) >= {"amount", "merchant", "event_time", "is_fraud"}


def test_covariate_drift_shifts_amounts_and_channels_and_leaves_the_customers() -> None:
    normal, drifted = an_export(), an_export(covariate_drift=0.5)
    amounts = [np.log(values(export.table, "amount").astype(float)) for export in (normal, drifted)]
    online = [np.mean(values(export.table, "channel") == "online") for export in (normal, drifted)]
    assert kolmogorov_smirnov(amounts[0], amounts[1]) > 0.08
    assert online[1] > online[0] + 0.1
    assert not changed_columns(normal, drifted) & {
        "customer_id",
        "age_band",
        "merchant",
        "event_time",
        "device_score",
        "card_age_days",
    }


def test_the_same_distribution_under_two_seeds_is_not_mistaken_for_drift() -> None:
    amounts = [np.log(values(an_export(seed=seed).table, "amount").astype(float)) for seed in (1, 2)]
    assert kolmogorov_smirnov(amounts[0], amounts[1]) < 0.02


def test_concept_drift_changes_the_labels_and_nothing_else() -> None:
    normal, drifted = an_export(), an_export(concept_drift=0.6)
    assert changed_columns(normal, drifted) == {"is_fraud"}
    assert is_fraud(drifted.table).mean() == pytest.approx(is_fraud(normal.table).mean(), abs=0.006)


def test_concept_drift_moves_fraud_to_small_amounts() -> None:
    medians = []
    for drift in (0.0, 1.0):
        table = an_export(concept_drift=drift).table
        medians.append(np.median(values(table, "amount").astype(float)[is_fraud(table)]))
    assert medians[0] > 100 > 20 > medians[1]


def test_group_bias_deals_labels_out_again_inside_one_band_only() -> None:
    normal, biased = an_export(), an_export(group_bias=0.8)
    moved = is_fraud(normal.table) != is_fraud(biased.table)
    assert changed_columns(normal, biased) == {"is_fraud"}
    assert moved.sum() > 50
    assert set(values(normal.table, "age_band")[moved]) == {"61+"}
    assert is_fraud(normal.table).sum() == is_fraud(biased.table).sum()


def test_the_smallest_export_has_one_row() -> None:
    assert an_export(rows=1, days=1, dirty_share=1.0).table.num_rows == 1
