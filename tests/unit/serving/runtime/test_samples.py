# SPDX-License-Identifier: Apache-2.0
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from serving.runtime.metrics import Metrics
from serving.runtime.samples import Samples, collected, lasting, merged, registry_of, steady


def a_worker(
    requests: dict[str, int], seconds: tuple[float, ...] = (), gauges: dict[str, float] | None = None
) -> Samples:
    """The samples of a worker, as they come over the link."""
    registry = CollectorRegistry()
    counter = Counter("kelp_requests", "Requests", ["model"], registry=registry)
    for model, count in requests.items():
        counter.labels(model).inc(count)
    histogram = Histogram("kelp_seconds", "Time", registry=registry, buckets=(0.1, 1.0))
    for value in seconds:
        histogram.observe(value)
    for name, value in (gauges or {}).items():
        Gauge(name, "A gauge", registry=registry).set(value)
    return over_the_link(collected(registry))


def over_the_link(samples: Samples) -> Samples:
    found: Samples = orjson.loads(orjson.dumps(samples))
    return found


def values(samples: Samples) -> dict[str, float]:
    """Each sample's value by its name and labels, as a scraper reads them."""
    text = generate_latest(registry_of(samples)).decode()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = sample.name + "".join(f" {value}" for value in sample.labels.values())
            assert key not in found, "one sample twice"
            found[key] = sample.value
    return found


def test_counters_of_two_workers_are_added_up_by_their_labels() -> None:
    total = values(merged([a_worker({"a": 2, "b": 3}), a_worker({"b": 5, "c": 7})]))
    assert {name: value for name, value in total.items() if "requests" in name} == {
        "kelp_requests_total a": 2,
        "kelp_requests_total b": 8,
        "kelp_requests_total c": 7,
    }


def test_histograms_are_added_up_bucket_by_bucket() -> None:
    total = values(merged([a_worker({}, (0.05, 0.5)), a_worker({}, (0.5, 5.0))]))
    assert {name: value for name, value in total.items() if "seconds" in name} == {
        "kelp_seconds_bucket 0.1": 1,
        "kelp_seconds_bucket 1.0": 3,
        "kelp_seconds_bucket +Inf": 4,
        "kelp_seconds_count": 4,
        "kelp_seconds_sum": 6.05,
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("kelp_log_queue_events", 5, id="queues-are-added-up"),
        pytest.param("process_resident_memory_bytes", 5, id="memory-is-added-up"),
        pytest.param("kelp_model_load_seconds", 3, id="the-slowest-load"),
        pytest.param("process_start_time_seconds", 2, id="the-first-start"),
        pytest.param("process_max_fds", 3, id="a-limit-is-no-sum"),
    ],
)
def test_gauges_of_two_workers(name: str, expected: float) -> None:
    assert values(merged([a_worker({}, (), {name: 2}), a_worker({}, (), {name: 3})]))[name] == expected


def test_of_a_worker_that_ended_what_it_had_counted_still_counts_and_its_gauges_do_not() -> None:
    ended = lasting(a_worker({"a": 2}, (0.5,), {"kelp_log_queue_events": 9}))
    total = values(merged([a_worker({"a": 1}, (0.5,), {"kelp_log_queue_events": 1}), ended]))
    assert total["kelp_requests_total a"] == 3
    assert total["kelp_seconds_count"] == 2
    assert total["kelp_log_queue_events"] == 1
    assert "kelp_log_queue_events" not in values(ended)


def test_several_that_ended_are_kept_as_one() -> None:
    ended: list[Samples] = []
    for _ in range(4):
        ended = [merged([*ended, lasting(a_worker({"a": 2}))])]
    assert values(merged([a_worker({"a": 1}), *ended]))["kelp_requests_total a"] == 9


def test_a_summary_lasts_and_is_added_up() -> None:
    registry = CollectorRegistry()
    Summary("rows", "Rows", registry=registry).observe(7)
    samples = over_the_link(collected(registry))
    assert values(merged([lasting(samples), samples]))["rows_sum"] == 14


def test_one_worker_is_left_as_it_is_and_no_worker_is_nothing() -> None:
    one = a_worker({"a": 2})
    assert merged([one]) is one
    assert merged([]) == []
    assert values([]) == {}


def test_merging_changes_no_workers_samples() -> None:
    first, second = a_worker({"a": 2}, (0.5,)), a_worker({"a": 3}, (0.5,))
    before = values(first), values(second)
    merged([first, second])
    assert (values(first), values(second)) == before


def test_labels_may_hold_anything() -> None:
    strange = 'a "quoted"\n\\name, {with} =signs= é'
    both = [a_worker({strange: 1}), a_worker({strange: 2})]
    assert values(merged(both))[f"kelp_requests_total {strange}"] == 3


def test_what_is_sent_is_what_the_registry_says_without_the_times_of_making() -> None:
    registry = CollectorRegistry()
    Counter("kelp_requests", "Requests", registry=registry).inc(3)
    assert collected(registry) == [["kelp_requests", "Requests", "counter", [["kelp_requests_total", {}, 3.0]]]]


def test_our_own_metrics_survive_the_link_in_both_formats() -> None:
    metrics = Metrics("champion")
    for status, scores in ((200, (0.25, 0.75)), (400, ())):
        metrics.of("fraud", "3", has_classes=True).count(status, 0.002, scores)
    alone: Collector = metrics
    sent = registry_of(over_the_link(collected(metrics)))
    for encode in (generate_latest, generate_openmetrics):
        text: Any = encode
        assert text(sent) == text(alone)


def test_a_sum_does_not_go_back_by_rounding() -> None:
    """0.1 + 0.2 is more than 0.3: in another order, as after a worker's end, a sum may be the least bit less."""
    more, less = a_worker({}, (0.1 + 0.2,)), a_worker({}, (0.3,))
    assert values(less)["kelp_seconds_sum"] < values(more)["kelp_seconds_sum"]
    assert values(steady(less, more)) == values(more)
    assert values(steady(more, less)) == values(more)
    assert values(less)["kelp_seconds_sum"] == 0.3, "what a worker said was changed"


def test_what_is_truly_less_is_said() -> None:
    before = a_worker({"a": 7}, (0.5, 0.25), {"kelp_log_queue_events": 0.3})
    now = a_worker({"a": 6, "b": 1}, (0.5,), {"kelp_log_queue_events": 0.1})
    assert values(steady(now, before)) == values(now)
    assert values(steady(now, [])) == values(now)
