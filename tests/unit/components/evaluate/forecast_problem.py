# SPDX-License-Identifier: Apache-2.0
"""A seeded forecasting problem: daily sales of some shops, as the directories that the steps before evaluate write."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.evaluate import Evaluation, evaluate
from kelp.frame.transform import Feature, RawColumn, Transform, Window
from kelp.spec import Model, model_from_json
from tests.unit.components.evaluate.conftest import write_linear

DAY_US = 86_400_000_000
START = datetime(2026, 1, 1, tzinfo=UTC)
HORIZON = SEASON = 7


@dataclass
class ForecastProblem:
    """What to make up; a shop opens `late` days into the data, if its number is odd."""

    series: int = 12
    days: int = 200
    test_days: int = 56
    late: int = 0
    seed: int = 3
    is_leaking: bool = False
    gates: tuple[dict[str, Any], ...] = ()


@dataclass
class WrittenForecast:
    """The directories, and the model they belong to."""

    model: Model
    root: Path

    def evaluate(self, folder: Path, *, champion: Path | None = None) -> Evaluation:
        folder.mkdir(parents=True)
        snapshot, prepared, trained = (self.root / name for name in ("snapshot", "prepared", "trained"))
        return evaluate(self.model, snapshot, prepared, trained, champion, {"run": "r-1"}, folder)


def written_forecast(problem: ForecastProblem, root: Path) -> WrittenForecast:
    """Write the problem under `root`; the model mixes the last two lags and adds a promotion's effect."""
    for name in ("snapshot", "prepared", "trained", "champion"):
        (root / name).mkdir(parents=True)
    rows = _rows(problem)
    is_test = rows["day"] >= problem.days - problem.test_days
    transform = a_forecast_transform()
    for name, part in (("train", ~is_test), ("test", is_test)):
        chosen = {key: values[part] for key, values in rows.items()}
        columns: dict[str, Any] = {
            feature.name: np.nan_to_num(chosen[feature.name]).astype(np.float32) for feature in transform.features
        }
        columns |= {"__target": chosen["sold"], "__series": [json.dumps([shop]) for shop in chosen["shop"]]}
        columns["__time"] = pa.array([START + timedelta(days=int(day)) for day in chosen["day"]], pa.timestamp("us"))
        columns["__naive"] = pa.array(chosen["lag_7"], from_pandas=True)
        columns["__scale"] = pa.array(chosen["scale"], from_pandas=True)
        pq.write_table(pa.table(columns), root / "prepared" / f"{name}.parquet")
    days = np.array(
        [START.replace(tzinfo=None) + timedelta(days=int(day)) for day in rows["day"]], dtype="datetime64[us]"
    )
    raw = rows | {"day": days}
    names = ("shop", "day", "sold", "promotion", "lag_7", "lag_14")
    table = pa.table({name: pa.array(raw[name][is_test], from_pandas=True) for name in names})
    pq.write_table(table, root / "prepared" / "test_rows.parquet")
    for folder, weights in (("trained", [0.5, 0.45, 20.0]), ("champion", [0.9, 0.0, 0.0])):
        write_linear(root / folder / "model.onnx", "forecast", np.array([weights]).T, np.zeros(1))
    for folder in ("prepared", "champion"):
        (root / folder / "transform.json").write_text(transform.to_json())
    _write_facts(problem, root, int(is_test.sum()), len(is_test))
    return WrittenForecast(_model(problem), root)


def a_forecast_transform(**window: Any) -> Transform:
    """Two lags and a promotion that is known ahead; `unit` is of both lags, what else is given of the first one."""
    unit = window.pop("unit", 1.0)
    windows = []
    for days in (HORIZON, 2 * HORIZON):
        lag = {"start_us": days * DAY_US, "end_us": days * DAY_US, "unit": unit, **(window if days == HORIZON else {})}
        windows.append(Window(name=f"lag_{days}", by=("shop",), over="sold", take="mean", **lag))
    return Transform(
        task="forecast",
        classes=(),
        columns=(
            RawColumn(name="shop", type="category", nullable=False),
            RawColumn(name="day", type="timestamp", nullable=False),
            RawColumn(name="sold", type="float", nullable=True, optional=True),
            RawColumn(name="promotion", type="float", nullable=False),
        ),
        features=tuple(Feature(name=name, column=name, kind="number") for name in ("lag_7", "lag_14", "promotion")),
        time="day",
        windows=tuple(windows),
    )


def _rows(problem: ForecastProblem) -> dict[str, Any]:
    rng = np.random.default_rng(problem.seed)
    parts = []
    for shop in range(problem.series):
        level = 40.0 * 1.6 ** (shop % 7)
        season = 1 + 0.4 * np.sin(2 * np.pi * np.arange(problem.days) / SEASON + shop)
        promotion = (rng.random(problem.days) < 0.1).astype(np.float64)
        sold = level * season * np.exp(0.15 * rng.normal(size=problem.days)) + 20 * promotion
        start = problem.late if shop % 2 else 0
        sold[:start] = np.nan
        lags = {f"lag_{days}": np.concatenate([np.full(days, np.nan), sold[:-days]]) for days in (7, 14)}
        until = problem.days - problem.test_days
        errors = np.abs(sold - lags["lag_7"])[:until]
        scale = np.nanmean(errors) if np.isfinite(errors).any() else np.nan
        if problem.is_leaking:
            promotion = sold.copy()
        columns = {"shop": np.full(problem.days, f"shop {shop}"), "day": np.arange(problem.days), "sold": sold}
        columns |= lags | {"promotion": promotion, "scale": np.full(problem.days, scale)}
        parts.append({name: values[start:] for name, values in columns.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _model(problem: ForecastProblem) -> Model:
    data = {"source": "data://sales.csv", "target": "sold", "time": "day"}
    series = {"key": ["shop"], "frequency": "1d", "horizon": "7d", "knownAhead": ["promotion"]}
    spec = {"task": "forecast", "data": data | {"series": series}, "gates": list(problem.gates)}
    content = {"apiVersion": "kelp.dev/v1alpha1", "kind": "Model", "metadata": {"name": "sales"}, "spec": spec}
    return model_from_json(json.dumps(content))


def _write_facts(problem: ForecastProblem, root: Path, test: int, rows: int) -> None:
    columns = {name: {"type": "float", "missing": 0, "distinct": 99} for name in ("shop", "day", "sold", "promotion")}
    series = {"frequencySeconds": 86_400, "horizonSteps": HORIZON, "seasonSteps": SEASON, "count": problem.series}
    facts: dict[str, dict[str, Any]] = {
        "snapshot/ingest.json": {"source": "data://sales.csv", "digest": "9f" * 32, "rows": rows, "columns": columns},
        "prepared/prepare.json": {
            "digest": "ab" * 32,
            "split": {"by": "time", "boundary": "2026-05-25T00:00:00Z", "gapSeconds": 0},
            "rows": {"train": rows - test, "test": test, "gap": 0},
            "features": ["lag_7", "lag_14", "promotion"],
            "series": series,
            "warnings": [],
        },
        "trained/train.json": {"trainer": "linear", "params": {}, "seed": 7, "rounds": 1, "rows": rows - test},
    }
    facts["snapshot/ingest.json"] |= {"quarantined": 0, "reasons": {}}
    for path, content in facts.items():
        (root / path).write_text(json.dumps(content))
