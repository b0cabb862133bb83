# SPDX-License-Identifier: Apache-2.0
"""What the step evaluate shows in the Kubeflow dashboard: metrics, curves, the report and a summary."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol


class Metrics(Protocol):
    """dsl.Metrics, as far as it is used here."""

    def log_metric(self, metric: str, value: float) -> None:
        """Show one number."""


class Curves(Protocol):
    """dsl.ClassificationMetrics, as far as it is used here."""

    def log_roc_curve(self, fpr: Sequence[float], tpr: Sequence[float], threshold: Sequence[float]) -> None:
        """Show a receiver operating characteristic."""

    def log_confusion_matrix(self, categories: Sequence[str], matrix: Sequence[Sequence[int]]) -> None:
        """Show a confusion matrix; rows are true classes."""


def show(
    found: Mapping[str, Any], evaluation: str, metrics: Metrics, curves: Curves, report: str, summary: str
) -> None:
    """Fill KFP's artifacts from what evaluate found.

    Args:
        found: scalars (name to number or None), curves (fpr, tpr, thresholds; or None), confusion (categories, matrix;
            or None) and markdown.
        evaluation: the folder with report.html.
        metrics: gets the scalars; those without a value are left out, never shown as 0.
        curves: gets the ROC curve and the confusion matrix.
        report: file to write, HTML.
        summary: file to write, Markdown.
    """
    for name, value in found["scalars"].items():
        if value is not None:
            metrics.log_metric(name, value)
    if found["curves"]:
        curves.log_roc_curve(*found["curves"])
    if found["confusion"]:
        curves.log_confusion_matrix(*found["confusion"])
    shutil.copyfile(Path(evaluation) / "report.html", report)
    Path(summary).write_text(found["markdown"], encoding="utf-8")
