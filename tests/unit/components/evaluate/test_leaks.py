# SPDX-License-Identifier: Apache-2.0
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.compute as pc
import pytest
from sklearn.datasets import load_iris

from components.evaluate.intervals import Estimate
from components.evaluate.leaks import Rows, leak_warnings, perfection_warnings
from examples.fraud.payments import Knobs
from examples.fraud.table import make_export
from kelp.frame.transform import Feature, RawColumn, Transform
from tests.unit.components.evaluate.forecast_problem import ForecastProblem, written_forecast

AProblem = Callable[..., Any]
Task = Literal["binary", "multiclass", "regression"]
CLASSES = {"binary": ("false", "true"), "multiclass": ("a", "b", "c"), "regression": ()}
RNG = np.random.default_rng(0)


def warnings_of(task: Task, target: Any, columns: Mapping[str, Any]) -> list[str]:
    """Warn of columns (numbers, or strings as categories), two thirds of which are the training part."""
    raw, features, values = [], [], []
    for name, column in columns.items():
        is_category = np.asarray(column).dtype.kind in "OU"
        categories = sorted({value for value in column if value}) if is_category else []
        raw.append(RawColumn(name=name, type="category" if is_category else "float", nullable=True))
        features.append(
            Feature(name=name, column=name, kind="category" if is_category else "number", categories=tuple(categories))
        )
        codes = {category: code for code, category in enumerate(categories, start=1)}
        values.append([codes.get(value, 0) for value in column] if is_category else np.nan_to_num(column))
    transform = Transform(task=task, classes=CLASSES[task], columns=tuple(raw), features=tuple(features))
    matrix, labels = np.array(values, dtype=np.float32).T, np.asarray(target, dtype=np.float64)
    is_train = np.arange(len(labels)) % 3 > 0
    train, test = (Rows(matrix[part], labels[part]) for part in (is_train, ~is_train))
    return leak_warnings(transform, "target", train, test)


LABELS = (RNG.random(3_000) < 0.1).astype(np.float64)
VALUES = RNG.normal(size=3_000)
KINDS = RNG.integers(0, 3, 3_000)


@pytest.mark.parametrize(
    ("task", "target", "column", "evidence"),
    [
        pytest.param("binary", LABELS, 5 - LABELS + RNG.random(3_000) / 2, "AUC 1.000", id="number-that-falls"),
        pytest.param("binary", LABELS, np.where(LABELS, 7.0, np.nan), "AUC 1.000", id="missing-unless-true"),
        pytest.param("binary", LABELS, np.where(LABELS, 5.0, RNG.choice([1.0, 9.0], 3_000)), "AUC", id="one-number"),
        pytest.param(
            "binary", LABELS, ["4837" if label else None for label in LABELS], "AUC 1.000", id="code-unless-missing"
        ),
        pytest.param("multiclass", KINDS, np.array(["x", "y", "z"])[KINDS], "of each class", id="renamed-classes"),
        pytest.param("multiclass", KINDS, np.array([4.0, 1.0, 2.0])[KINDS], "of each class", id="class-numbers"),
        pytest.param("regression", VALUES, np.exp(VALUES), "rank correlation 1.000", id="transformed-target"),
        pytest.param("regression", np.round(VALUES), np.round(VALUES).astype(str), "R2 1.000", id="target-as-text"),
    ],
)
def test_a_column_that_gives_the_target_away_is_named(task: Task, target: Any, column: Any, evidence: str) -> None:
    found = warnings_of(task, target, {"noise": RNG.normal(size=3_000), "chargeback_code": column})
    assert len(found) == 1
    assert found[0].startswith("column chargeback_code alone predicts target almost perfectly (")
    assert evidence in found[0]


@pytest.mark.parametrize(
    ("task", "target", "column"),
    [
        pytest.param("binary", LABELS, LABELS + 0.35 * RNG.normal(size=3_000), id="good-number"),
        pytest.param("binary", LABELS, np.arange(3_000).astype(str), id="each-row-its-own-category"),
        pytest.param("regression", VALUES, VALUES + 0.1 * RNG.normal(size=3_000), id="good-regressor"),
        pytest.param("binary", np.arange(30) % 10 == 0, np.arange(30) % 10 == 0, id="too-few-rows-to-say"),
        pytest.param("regression", np.ones(300), np.arange(300.0), id="constant-target"),
    ],
)
def test_a_column_that_is_merely_good_is_not_named(task: Task, target: Any, column: Any) -> None:
    column = np.asarray(column)
    assert warnings_of(task, target, {"column": column if column.dtype.kind in "OU" else column.astype(float)}) == []


def test_iris_has_no_leak() -> None:
    iris = load_iris()
    columns = dict(zip(iris.feature_names, iris.data.T, strict=True))
    assert warnings_of("multiclass", iris.target, columns) == []


def test_the_fraud_example_has_no_leak() -> None:
    table = make_export(rows=20_000, days=90, seed=7, knobs=Knobs(), dirty_share=0.0).table
    names = [name for name in table.column_names if name not in ("is_fraud", "event_time", "payment_id", "email")]
    columns: dict[str, Any] = {}
    for name in names:
        column = table.column(name)
        columns[name] = np.array(column.cast("int8") if str(column.type) == "bool" else column)
        columns[name] = columns[name].astype(object if str(column.type) == "string" else np.float64)
    is_fraud = np.array(pc.equal(table["is_fraud"], "true"))
    assert warnings_of("binary", is_fraud, columns) == []
    leak = {"chargeback_code": ["4837" if label else None for label in is_fraud]}
    assert len(warnings_of("binary", is_fraud, columns | leak)) == 1


def test_a_leak_is_in_the_evaluation_the_log_and_the_report(
    a_problem: AProblem, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = a_problem(is_leaking=True, rows=3_000).evaluate(tmp_path / "evaluation")
    text = "column distance alone predicts is_fraud almost perfectly (AUC 1.000): is it known when a request is sent?"
    assert found.document["warnings"][0] == text
    assert "roc_auc is 1 " in found.document["warnings"][1]
    assert text in caplog.messages
    page = (tmp_path / "evaluation" / "report.html").read_text()
    assert page.index(text) < page.index(">Gates<")


def test_warnings_of_the_steps_before_are_shown_as_well(a_problem: AProblem, tmp_path: Path) -> None:
    written = a_problem()
    for path, text in ((written.prepared / "prepare.json", "a late row"), (written.trained / "train.json", "on cpu")):
        path.write_text(path.read_text().replace("{", f'{{"warnings": ["{text}"], ', 1))
    assert written.evaluate(tmp_path / "evaluation").document["warnings"] == ["a late row", "on cpu"]


def test_a_forecast_leaks_by_what_is_known_ahead_and_not_by_its_own_past(tmp_path: Path) -> None:
    fair = written_forecast(ForecastProblem(), tmp_path / "fair").evaluate(tmp_path / "fair" / "evaluation")
    assert fair.document["warnings"] == []
    leaking = written_forecast(ForecastProblem(is_leaking=True), tmp_path / "leaking")
    (text,) = leaking.evaluate(tmp_path / "leaking" / "evaluation").document["warnings"]
    assert text.startswith(
        "column promotion alone predicts sold almost perfectly (correlation 1.000 within the series)"
    )


@pytest.mark.parametrize(
    ("task", "name", "estimate", "is_warned"),
    [
        pytest.param("binary", "roc_auc", (1.0, 0.993, 1.0), True, id="perfect"),
        pytest.param("binary", "roc_auc", (1.0, 0.9, 1.0), False, id="perfect-on-few-rows"),
        pytest.param("multiclass", "accuracy", (0.99, 0.99, 0.99), False, id="good"),
        pytest.param("forecast", "mase", (0.0005, 0.0, 0.001), True, id="no-error"),
        pytest.param("forecast", "mase", (0.4, 0.3, 0.5), False, id="error"),
        pytest.param("regression", "r2", (1.0, None, None), False, id="no-interval"),
    ],
)
def test_a_perfect_metric_is_suspicious_if_its_bound_is(
    task: str, name: str, estimate: tuple[float, float | None, float | None], is_warned: bool
) -> None:
    assert bool(list(perfection_warnings(task, {name: Estimate(*estimate, 100)}))) == is_warned
