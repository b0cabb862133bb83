# SPDX-License-Identifier: Apache-2.0
"""The kind `Model`: everything kelp knows about one model, as one frozen value.

Python names are snake_case, YAML is camelCase. Every field but the required ones
(apiVersion, kind, metadata.name, spec.task, spec.data.source, spec.data.target) has a default, stated here.
"""

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import Field

from kelp.spec.data import Data, Feature
from kelp.spec.types import (
    Cron,
    Duration,
    LabelValue,
    ModelName,
    Part,
    Percent,
    PositiveDuration,
    Quantity,
    Scalar,
    Text,
    TimeZone,
    parse_duration,
)


class Metadata(Part):
    """The model's name and labels."""

    name: ModelName
    labels: dict[str, LabelValue] = Field(default_factory=dict)


class Resources(Part):
    """Kubernetes requests and limits; ignored on a laptop."""

    requests: dict[str, Quantity] = Field(default_factory=dict)
    limits: dict[str, Quantity] = Field(default_factory=dict)


class Search(Part):
    """Hyperparameter search: stops at whichever comes first."""

    trials: int = Field(ge=1, le=10_000)
    time_limit: PositiveDuration = parse_duration("5m")


class Train(Part):
    """How the model is fitted."""

    trainer: str = Field(default="xgboost", description="xgboost, torch, or package.module:name")
    params: dict[str, Scalar] = Field(default_factory=dict)
    search: Search | None = None
    early_stopping: int | None = Field(
        default=None, ge=1, le=10_000, description="rounds or epochs without a better score on rows kept back for it"
    )
    class_weights: Literal["none", "balanced"] = "none"
    seed: int = Field(default=7, ge=0, le=2**31 - 1)
    nodes: int = Field(default=1, ge=1, le=1000)
    resources: Resources = Resources()
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: tuple[dict[str, Any], ...] = ()


class Gate(Part):
    """One condition a version has to meet, decided on a confidence bound."""

    metric: str
    at_least: float | None = None
    at_most: float | None = None
    not_worse_than: Literal["champion", "legacy", "dummy"] | None = None
    by: float = Field(default=0.0, ge=0, description="how much worse is still not worse")
    gap_across: str | None = Field(default=None, description="a protected column: the metric's gap between its groups")


class Legacy(Part):
    """The system this model is to replace; one of the three."""

    column: str | None = None
    command: str | None = None
    url: str | None = None


class Fairness(Part):
    """Mitigation of unfairness between protected groups."""

    mitigate: Literal["none", "reweigh", "thresholds"] = "none"


class NotWorseBy(Part):
    """The margins of the canary's judge."""

    errors: Percent = 0.01
    slow: Percent = 0.01


class Rollout(Part):
    """How a new version takes over."""

    shadow: Duration = parse_duration("0m")
    steps: tuple[Annotated[int, Field(ge=1, le=50)], ...] = (5, 25, 50)
    time_limit: PositiveDuration = parse_duration("60m")
    at_time_limit: Literal["hold", "extend", "rollback"] = "hold"
    not_worse_by: NotWorseBy = NotWorseBy()
    slow: PositiveDuration = parse_duration("50ms")


class Serve(Part):
    """How the model is served."""

    replicas: int = Field(default=1, ge=1, le=1000)
    resources: Resources = Resources()
    verify: Literal["required", "if-present"] = "if-present"
    rollout: Rollout = Rollout()


class Drift(Part):
    """When a change of the data is an alarm."""

    false_alarms_per_year: float = Field(default=1.0, gt=0, le=365)
    confirm: Literal["alibi", "builtin"] = "alibi"


class GroundTruth(Part):
    """Labels that arrive later."""

    within: PositiveDuration
    metric: str
    drop: float = Field(gt=0)


class Slo(Part):
    """Service level objectives."""

    availability: Percent = 0.999
    latency: PositiveDuration = parse_duration("50ms")
    latency_share: Percent = 0.99


class Monitor(Part):
    """What is watched once the model serves."""

    window: int = Field(default=1000, ge=30, le=10_000_000)
    max_windows_per_day: int = Field(default=96, ge=1, le=86_400)
    drift: Drift = Drift()
    ground_truth: GroundTruth | None = None
    slo: Slo = Slo()
    retention: Duration = parse_duration("90d")


class Budget(Part):
    """At most `runs` retrainings `per` period."""

    runs: int = Field(default=3, ge=1, le=1000)
    per: PositiveDuration = parse_duration("7d")


class Retrain(Part):
    """When the pipeline starts again by itself."""

    schedule: Cron | None = None
    time_zone: TimeZone = "UTC"
    triggers: tuple[Literal["drift", "performance"], ...] = ()
    cooldown: Duration = parse_duration("24h")
    budget: Budget = Budget()
    approval: Literal["none", "required"] = "none"


class Spec(Part):
    """What one model is and how it lives."""

    owner: str = Field(default="", max_length=200)
    purpose: Text = ""
    task: Literal["binary", "multiclass", "regression", "forecast", "text"]
    data: Data
    features: tuple[Feature, ...] = ()
    train: Train = Train()
    gates: tuple[Gate, ...] = ()
    confidence: Percent = 0.95
    undecided: Literal["fail", "pass-with-approval"] = "fail"
    legacy: Legacy | None = None
    fairness: Fairness = Fairness()
    serve: Serve = Serve()
    monitor: Monitor = Monitor()
    retrain: Retrain = Retrain()


class Model(Part):
    """One file `models/<name>.yaml`."""

    api_version: Literal["kelp.dev/v1alpha1"]
    kind: Literal["Model"]
    metadata: Metadata
    spec: Spec

    @property
    def name(self) -> str:
        """The model's name, unique in a workspace."""
        return self.metadata.name

    def to_json(self) -> str:
        """Canonical JSON with every default written out: equal models give equal text."""
        values = self.model_dump(mode="json", by_alias=True)
        return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @property
    def digest(self) -> str:
        """sha256 (hex) of the canonical JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()
