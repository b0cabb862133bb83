# SPDX-License-Identifier: Apache-2.0
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.dashboard import show


@dataclass(slots=True)
class Shown:
    """The dashboard, as far as a test looks."""

    metrics: dict[str, float] = field(default_factory=dict)
    curves: list[Any] = field(default_factory=list)

    def log_metric(self, metric: str, value: float) -> None:
        self.metrics[metric] = value

    def log_roc_curve(self, fpr: Sequence[float], tpr: Sequence[float], threshold: Sequence[float]) -> None:
        self.curves.append((fpr, tpr, threshold))

    def log_confusion_matrix(self, categories: Sequence[str], matrix: Sequence[Sequence[int]]) -> None:
        self.curves.append((categories, matrix))


def shown(tmp_path: Path, found: dict[str, Any]) -> Shown:
    (tmp_path / "report.html").write_text("<p>")
    dashboard = Shown()
    show(found, str(tmp_path), dashboard, dashboard, str(tmp_path / "html"), str(tmp_path / "md"))
    return dashboard


def test_all_four_places_are_filled(tmp_path: Path) -> None:
    roc, confusion = [[0, 1], [0, 1], [1.0, 0.5]], [["no", "yes"], [[3, 1], [0, 4]]]
    found = {"scalars": {"auc": 0.9}, "curves": roc, "confusion": confusion, "markdown": "# fraud"}

    dashboard = shown(tmp_path, found)

    assert dashboard.metrics == {"auc": 0.9}
    assert dashboard.curves == [tuple(roc), tuple(confusion)]
    assert (tmp_path / "html").read_text() == "<p>"
    assert (tmp_path / "md").read_text() == "# fraud"


def test_what_is_missing_is_left_out(tmp_path: Path) -> None:
    found = {"scalars": {"auc": None, "rmse": 0.0}, "curves": None, "confusion": None, "markdown": ""}

    dashboard = shown(tmp_path, found)

    assert dashboard.metrics == {"rmse": 0.0}
    assert dashboard.curves == []
