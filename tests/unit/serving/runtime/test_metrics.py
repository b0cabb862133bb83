# SPDX-License-Identifier: Apache-2.0
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from serving.runtime.metrics import Distribution, Metrics

Values = dict[tuple[str, ...], float]


def read(metrics: Metrics) -> Values:
    """Each sample by its name and the values of its labels, as a scraper reads them."""
    return {
        (sample.name, *(sample.labels[label] for label in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(generate_latest(metrics).decode())
        for sample in family.samples
    }


@given(st.lists(st.floats(-1e7, 1e7), max_size=200), st.sampled_from([(0.0,), (-1.0, 0.0, 0.5, 1e6)]))
def test_many_values_are_counted_as_one_by_one(values: list[float], bounds: tuple[float, ...]) -> None:
    together, apart = Distribution(bounds), Distribution(bounds)
    together.add_all(values)
    for value in values:
        apart.add(value)
    assert together.counts == apart.counts
    assert sum(together.counts) == len(values)
    assert together.total == pytest.approx(apart.total, abs=1e-3)


def test_a_value_is_in_the_least_bucket_whose_bound_is_not_below_it() -> None:
    distribution = Distribution((1.0, 2.0))
    for value in (0.0, 1.0, 1.5, 2.0, 3.0, math.inf):
        distribution.add(value)
    assert distribution.buckets() == [("1.0", 2.0), ("2.0", 4.0), ("+Inf", 6.0)]


def test_requests_are_counted_by_model_version_arm_and_status() -> None:
    metrics = Metrics("canary")
    fraud = metrics.of("fraud", "3", has_classes=True)
    fraud.count(200, 0.003, [0.25, 0.75])
    fraud.count(200, 0.0003, [0.5])
    fraud.count(400, 0.0003, ())
    metrics.of("fraud", "4", has_classes=True).count(500, 3.0, ())
    found = read(metrics)
    assert found["kelp_requests_total", "canary", "200", "fraud", "3"] == 2
    assert found["kelp_requests_total", "canary", "400", "fraud", "3"] == 1
    assert found["kelp_requests_total", "canary", "500", "fraud", "4"] == 1
    assert found["kelp_request_seconds_count", "canary", "fraud", "3"] == 3
    assert found["kelp_request_seconds_sum", "canary", "fraud", "3"] == pytest.approx(0.0036)
    assert found["kelp_request_seconds_bucket", "canary", "0.0005", "fraud", "3"] == 2
    assert found["kelp_batch_rows_sum", "canary", "fraud", "3"] == 3
    assert found["kelp_batch_rows_count", "canary", "fraud", "3"] == 2
    assert found["kelp_prediction_sum", "canary", "fraud", "3"] == 1.5
    assert found["kelp_prediction_bucket", "canary", "0.5", "fraud", "3"] == 2
    assert found["kelp_prediction_count", "canary", "fraud", "4"] == 0


def test_shares_and_values_have_buckets_of_their_own() -> None:
    metrics = Metrics("champion")
    metrics.of("fraud", "1", has_classes=True)
    metrics.of("price", "1", has_classes=False).count(200, 0.001, [-12.0, 3e9])
    found = read(metrics)
    assert ("kelp_prediction_bucket", "champion", "0.05", "fraud", "1") in found
    assert ("kelp_prediction_bucket", "champion", "0.05", "price", "1") not in found
    assert found["kelp_prediction_bucket", "champion", "-10.0", "price", "1"] == 1
    assert found["kelp_prediction_bucket", "champion", "1000000.0", "price", "1"] == 1
    assert found["kelp_prediction_bucket", "champion", "+Inf", "price", "1"] == 2


def test_requests_for_no_model_have_empty_labels() -> None:
    metrics = Metrics("champion")
    metrics.unknown.count(404, 0.001, ())
    assert read(metrics)["kelp_requests_total", "champion", "404", "", ""] == 1


def test_a_version_keeps_its_numbers_when_it_is_loaded_again() -> None:
    metrics = Metrics("champion")
    first = metrics.of("fraud", "3", has_classes=True)
    assert metrics.of("fraud", "3", has_classes=True) is first
    assert metrics.of("fraud", "4", has_classes=True) is not first


def test_load_time_is_there_once_the_version_was_loaded() -> None:
    metrics = Metrics("champion")
    model = metrics.of("fraud", "3", has_classes=True)
    assert ("kelp_model_load_seconds", "champion", "fraud", "3") not in read(metrics)
    model.load_s = 0.02
    assert read(metrics)["kelp_model_load_seconds", "champion", "fraud", "3"] == 0.02


@pytest.mark.parametrize("bound", ["0.0001", "10.0"])
def test_latency_has_buckets_from_a_tenth_of_a_millisecond_to_ten_seconds(bound: str) -> None:
    metrics = Metrics("champion")
    metrics.of("fraud", "3", has_classes=True)
    assert ("kelp_request_seconds_bucket", "champion", bound, "fraud", "3") in read(metrics)
