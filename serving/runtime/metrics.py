# SPDX-License-Identifier: Apache-2.0
"""Requests by model, version and status: KServe counts neither requests nor errors."""

from prometheus_client import CollectorRegistry, Counter, Histogram

_BUCKETS_S = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class RequestMetrics:
    """`kelp_requests_total` and `kelp_request_seconds`, in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "kelp_requests_total",
            "Prediction requests answered, by HTTP status",
            ["model", "version", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "kelp_request_seconds",
            "Time to answer a prediction request, from its headers to the answer",
            ["model", "version"],
            buckets=_BUCKETS_S,
            registry=registry,
        )

    def count(self, model: str, version: str, status: int, seconds: float) -> None:
        """Count one answered request to a model that exists."""
        self._requests.labels(model, version, str(status)).inc()
        self._seconds.labels(model, version).observe(seconds)
