# SPDX-License-Identifier: Apache-2.0
"""The metrics a gate may name: which tasks have them, which direction is better, which values they can take.

Pure data without numpy, so that a spec is checked in milliseconds. `components.evaluate.metrics` computes them, and a
test holds the two tables equal.
"""

from dataclasses import dataclass

BINARY = frozenset({"binary"})
CLASSES = frozenset({"binary", "multiclass", "text"})
SEVERAL = frozenset({"multiclass", "text"})
REGRESSION = frozenset({"regression"})
FORECAST = frozenset({"forecast"})


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """What can be known of a metric without any data.

    Attributes:
        name: as written in `gates[].metric`.
        tasks: the tasks (`spec.task`) that have it.
        higher_is_better: None where neither direction is better; such a metric can be limited or compared across
            groups, but a model cannot be "not worse" in it.
        range: smallest and largest possible value, None where there is no limit.
        meaning: one line for the report's reader.
    """

    name: str
    tasks: frozenset[str]
    higher_is_better: bool | None
    range: tuple[float | None, float | None]
    meaning: str


METRICS: dict[str, MetricInfo] = {
    info.name: info
    for info in (
        MetricInfo("roc_auc", BINARY, True, (0.0, 1.0), "chance that a positive outranks a negative"),
        MetricInfo("pr_auc", BINARY, True, (0.0, 1.0), "average precision over all thresholds"),
        MetricInfo("log_loss", CLASSES, False, (0.0, None), "mean surprise at the true class, in nats"),
        MetricInfo("brier", BINARY, False, (0.0, 1.0), "mean squared error of the probability"),
        MetricInfo("ece", BINARY, False, (0.0, 1.0), "mean gap between probability and frequency, ten bins"),
        MetricInfo("accuracy", CLASSES, True, (0.0, 1.0), "share of rows labelled right"),
        MetricInfo("precision", BINARY, True, (0.0, 1.0), "share of flagged rows that are positive"),
        MetricInfo("recall", BINARY, True, (0.0, 1.0), "share of positive rows that are flagged"),
        MetricInfo("f1", BINARY, True, (0.0, 1.0), "harmonic mean of precision and recall"),
        MetricInfo("false_positive_rate", BINARY, False, (0.0, 1.0), "share of negative rows that are flagged"),
        MetricInfo("selection_rate", BINARY, None, (0.0, 1.0), "share of rows that are flagged"),
        MetricInfo("ndcg_at_10", BINARY, True, (0.0, 1.0), "how high the positives of an entity's rows are ranked"),
        MetricInfo("macro_f1", SEVERAL, True, (0.0, 1.0), "f1 of each class, averaged with equal weight"),
        MetricInfo("mase", FORECAST, False, (0.0, None), "mean absolute error, as a share of the seasonal naive one"),
        MetricInfo("wape", FORECAST, False, (0.0, None), "sum of absolute errors, as a share of the target's sum"),
        MetricInfo(
            "rmse", REGRESSION | FORECAST, False, (0.0, None), "root of the mean squared error, in the target's unit"
        ),
        MetricInfo("mae", REGRESSION | FORECAST, False, (0.0, None), "mean absolute error, in the target's unit"),
        MetricInfo("r2", REGRESSION, True, (None, 1.0), "share of the target's variance explained"),
    )
}


def metrics_of(task: str) -> tuple[str, ...]:
    """Return the names of the task's metrics, in the table's order; none for a task without metrics."""
    return tuple(name for name, info in METRICS.items() if task in info.tasks)
