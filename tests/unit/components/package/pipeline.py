# SPDX-License-Identifier: Apache-2.0
"""The plain functions of all steps, one after another, without Kubeflow Pipelines."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.evaluate import evaluate
from components.ingest import ingest
from components.package import package
from components.prepare import prepare
from components.train import train
from kelp.home import Home
from kelp.spec import Model
from tests.unit.components.ingest.factories import Bench, a_model, csv_of

COLUMNS: dict[str, dict[str, Any]] = {
    "amount": {"type": "float", "missing": "median"},
    "count": {"type": "int", "min": 0},
    "open": {"type": "bool"},
    "at": {"type": "timestamp"},
    "word": {"type": "category"},
    "band": {"type": "category", "protected": True, "feature": False},
    "email": {"type": "string", "privacy": "drop"},
    "who": {"type": "string", "privacy": "pseudonymise"},
}


@dataclass(frozen=True)
class Run:
    """One run's folders; `steps` is what package takes."""

    model: Model
    home: Home
    folder: Path
    run_id: str

    @property
    def steps(self) -> dict[str, Path]:
        return {name: self.folder / name for name in ("snapshot", "prepared", "trained", "evaluation")}

    @property
    def packaged(self) -> Path:
        return self.folder / "packaged"

    def until_package(self, champion: Path | None = None) -> None:
        for step in self.steps.values():
            step.mkdir(parents=True)
        snapshot, prepared, trained, evaluation = self.steps.values()
        ingest(self.model, self.home, "", snapshot)
        prepare(self.model, self.home, snapshot, prepared)
        train(self.model, prepared, self.model.spec.train.seed, trained)
        evaluate(self.model, snapshot, prepared, trained, champion, {"run": self.run_id}, evaluation)

    def package(self) -> dict[str, Any]:
        self.packaged.mkdir()
        return package(self.model, self.home, self.run_id, "manual", self.steps, self.packaged)


def a_task_model(task: str, **spec: Any) -> Model:
    """A model of the table that `write_table` writes."""
    params = {"rounds": 20, "subsample": 0.8, **spec.pop("params", {})}
    return a_model(task=task, columns=COLUMNS, entity="who", params=params, **spec)


def write_table(bench: Bench, task: str, rows: int = 800, scale: float = 1e6) -> None:
    """A table of every type, in two files; a regression's target goes from about -2 to 2 times `scale`."""
    rng = np.random.default_rng(11)
    amount, count = rng.normal(size=rows).round(6), rng.poisson(3, size=rows)
    is_open, word = rng.random(rows) < 0.4, rng.choice(["shop", "café, bar", "it's"], size=rows)
    signal = amount + 0.4 * (count - 3) * is_open + (word == "shop") + rng.normal(scale=0.4, size=rows)
    label = {
        "binary": np.where(signal > 0.5, "yes", "no"),
        "multiclass": np.array(["none", "a low one", "Zürich"])[np.digitize(signal, [-0.3, 1.2])],
        "regression": (signal * scale).round(3),
    }[task]
    is_missing = rng.random(rows) < 0.1
    lines = [
        [
            "" if is_missing[row] else amount[row],
            count[row],
            "" if row % 17 == 0 else str(is_open[row]).lower(),
            f"2024-05-{row % 28 + 1:02}T{row % 24:02}:30:00Z",
            f'"{word[row]}"',
            ("18-30", "31-50", "")[row % 3],
            f"person{row}@example.org",
            f"customer-{row % 211}",
            label[row],
        ]
        for row in range(rows)
    ]
    header = [*COLUMNS, "label"]
    bench.write("a.csv", csv_of([header, *lines[: rows // 2]]))
    bench.write("b.csv", csv_of([header, *lines[rows // 2 :]]))


def a_run(bench: Bench, model: Model, run_id: str = "run-1") -> Run:
    run = Run(model, bench.home, bench.root / run_id, run_id)
    run.until_package()
    return run
