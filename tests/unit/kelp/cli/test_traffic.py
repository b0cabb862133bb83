# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from kelp.cli.traffic import Counts, between, counts, quantile, rates, total

FRAUD = ("fraud", "3")


def text(*labels: str) -> str:
    """What a server says after 7 good and 3 bad requests, each of 4 ms, with these labels beside model and version."""
    registry = CollectorRegistry()
    named = {name: "champion" for name in labels if name != "status" and name != "code"}
    code = "code" if "code" in labels else "status"
    requests = Counter("kelp_requests_total", "", ["model", "version", code, *named], registry=registry)
    seconds = Histogram(
        "kelp_request_seconds", "", ["model", "version", *named], buckets=(0.002, 0.006), registry=registry
    )
    Counter("other_total", "", registry=registry).inc()
    for answered, count in (("200", 7), ("400", 2), ("500", 1)):
        requests.labels(*FRAUD, answered, *named.values()).inc(count)
    for _ in range(10):
        seconds.labels(*FRAUD, *named.values()).observe(0.004)
    return generate_latest(registry).decode()


@pytest.mark.parametrize("labels", [["status"], ["code"], ["code", "arm"]], ids=str)
def test_requests_are_read_whatever_the_label_of_their_code_is_called(labels: list[str]) -> None:
    found = counts(text(*labels))
    assert set(found) == {FRAUD}
    assert found[FRAUD].codes == {"200": 7, "400": 2, "500": 1}
    assert (total(found[FRAUD]), total(found[FRAUD], "4"), total(found[FRAUD], "5")) == (10, 2, 1)
    assert found[FRAUD].buckets == {0.002: 0, 0.006: 10, float("inf"): 10}


def test_arms_of_a_version_are_added_up() -> None:
    lines = [f'kelp_requests_total{{model="a",version="1",code="200",arm="{arm}"}} 4.0' for arm in ("x", "y")]
    assert counts("\n".join(lines))[("a", "1")].codes == {"200": 8}


def test_a_text_that_is_no_metrics_has_no_requests() -> None:
    assert counts("<html>not found</html>") == {}
    with pytest.raises(ValueError, match=r".+"):
        counts("kelp_requests_total{broken")


def test_traffic_is_what_came_between_two_looks() -> None:
    older = Counts({"200": 10, "400": 1}, {0.01: 11, 0.1: 11, float("inf"): 11})
    newer = Counts({"200": 26, "400": 3, "503": 2}, {0.01: 21, 0.1: 31, float("inf"): 31})
    found = between(older, newer, 4)
    assert (found.requests, found.refused, found.failed) == (5, 0.5, 0.5)
    assert found.p50_s == pytest.approx(0.01)
    assert found.p99_s == pytest.approx(0.01 + 0.09 * 0.98)


def test_a_server_that_started_again_counts_from_zero() -> None:
    found = between(Counts({"200": 1000}, {0.1: 1000}), Counts({"200": 6}, {0.1: 6}), 2)
    assert found.requests == 3
    assert found.p99_s is not None


def test_no_requests_have_no_quantile_and_what_is_beyond_all_bounds_is_the_last_one() -> None:
    assert quantile({}, 0.5) is None
    assert quantile({0.1: 0.0, float("inf"): 0.0}, 0.5) is None
    assert quantile({0.1: 0.0, float("inf"): 5.0}, 0.5) == 0.1


@given(times=st.lists(st.floats(0.0001, 9.9), min_size=1), q=st.sampled_from([0.5, 0.9, 0.99]))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(times: list[float], q: float) -> None:
    bounds = [0.001, 0.01, 0.1, 1.0, 10.0]
    buckets = {bound: float(sum(time <= bound for time in times)) for bound in bounds}
    true = float(np.quantile(times, q, method="inverted_cdf"))
    upper = next(bound for bound in bounds if true <= bound)
    lower = max((bound for bound in bounds if bound < upper), default=0.0)
    found = quantile(buckets, q)
    assert found is not None
    assert lower - 1e-12 <= found <= upper + 1e-12


def test_rates_are_of_each_look_and_the_next() -> None:
    looks = [(0.0, {}), (2.0, {FRAUD: Counts({"200": 4})}), (3.0, {FRAUD: Counts({"200": 9})})]
    assert rates(looks, FRAUD) == [2, 5]
    assert rates(looks, ("other", "1")) == [0, 0]
