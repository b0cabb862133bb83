# SPDX-License-Identifier: Apache-2.0
"""Data planes over models that need no files."""

from pathlib import Path
from typing import Any

from kelp.frame.online import Online
from kelp.frame.scorer import Scorer
from kelp.frame.transform import Feature, RawColumn, Transform
from serving.catalogue import Catalogue
from serving.explain import Explanations
from serving.runtime.log import PredictionLog
from serving.runtime.metrics import Metrics
from serving.runtime.model import ServedModel
from serving.runtime.models import Models
from serving.runtime.plane import Plane
from serving.source import Source

AMOUNT = Transform(
    task="regression",
    classes=(),
    columns=(RawColumn(name="amount", type="float", nullable=True),),
    features=(Feature(name="amount", column="amount", kind="number", fill=0),),
)


class Doubling:
    """A session whose model doubles its only feature, or raises."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.problem = problem

    def run(self, outputs: list[str], inputs: dict[str, Any]) -> list[Any]:
        if self.problem:
            raise self.problem
        return [2 * inputs["rows"][:, 0]]


def a_model(online: Online, metrics: Metrics, version: str = "3") -> ServedModel:
    numbers = metrics.of("price", version, has_classes=False)
    return ServedModel("price", version, online, Explanations(online, Path(), ""), numbers)


def a_plane(
    online: Online | None = None,
    *,
    problem: Exception | None = None,
    log: PredictionLog | None = None,
    is_loaded: bool = True,
    folder: Path = Path(__file__).parent,
) -> tuple[Plane, Metrics]:
    """A plane that serves version 3 of `price`: this one, or one that doubles its amount."""
    metrics = Metrics("champion")
    model = a_model(online or Online(Scorer(AMOUNT, Doubling(problem))), metrics)
    models = Models(Catalogue([Source("price", 3, folder)]), 2**30, lambda source: model, size=lambda folder: 1)
    if is_loaded:
        models.load("price")
    return Plane(models, metrics, body_limit=1_000_000, log=log), metrics
