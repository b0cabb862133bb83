# SPDX-License-Identifier: Apache-2.0
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from components.evaluate import confusion, curves, scalars
from kelp.errors import IntegrityError
from tests.unit.components.evaluate.forecast_problem import (
    DAY_US,
    ForecastProblem,
    WrittenForecast,
    a_forecast_transform,
    written_forecast,
)

GATES = ({"metric": "mase", "notWorseThan": "dummy"}, {"metric": "wape", "atMost": 0.3})


def a_forecast(root: Path, **fields: Any) -> WrittenForecast:
    return written_forecast(ForecastProblem(**fields), root)


def test_the_dummy_is_the_seasonal_naive_forecast(tmp_path: Path) -> None:
    written = a_forecast(tmp_path, gates=GATES)
    found = written.evaluate(tmp_path / "evaluation")
    assert [gate.result for gate in found.gates] == ["pass", "pass"]
    test = pq.read_table(tmp_path / "prepared" / "test.parquet")
    error = np.abs(test["__naive"].to_numpy() - test["__target"].to_numpy())
    dummy = found.document["systems"]["dummy"]["metrics"]
    assert dummy["mae"]["value"] == pytest.approx(error.mean())
    assert dummy["mase"]["value"] == pytest.approx((error / test["__scale"].to_numpy()).mean())


def test_rows_without_naive_forecast_or_scale_are_counted_in_the_notes(tmp_path: Path) -> None:
    notes = a_forecast(tmp_path, late=150).evaluate(tmp_path / "evaluation").document["notes"]
    assert "42 rows have none and take a mean of the training part" in notes["dummy"]
    assert notes["mase"].startswith("300 of 636 rows are left out")


@pytest.mark.parametrize(
    ("series", "test_days", "words"),
    [
        pytest.param(12, 56, "whole series, 12 of them", id="many-series"),
        pytest.param(2, 70, "stretches of 7 steps of time, 10 of them", id="few-series"),
    ],
)
def test_the_document_says_what_was_resampled(tmp_path: Path, series: int, test_days: int, words: str) -> None:
    found = a_forecast(tmp_path, series=series, test_days=test_days).evaluate(tmp_path / "evaluation").document
    assert words in found["notes"]["intervals"]
    assert found["systems"]["candidate"]["metrics"]["mase"]["low"] is not None


def test_too_short_a_test_part_leaves_gates_undecided_with_the_reason(tmp_path: Path) -> None:
    found = a_forecast(tmp_path, series=1, test_days=21, gates=GATES).evaluate(tmp_path / "evaluation")
    assert [gate.result for gate in found.gates] == ["undecided", "undecided"]
    assert "3 stretches of time" in found.gates[0].why
    assert found.document["systems"]["candidate"]["metrics"]["mase"]["value"] > 0


def test_a_champion_of_the_same_windows_is_compared(tmp_path: Path) -> None:
    written = a_forecast(tmp_path)
    (tmp_path / "champion" / "transform.json").write_text(a_forecast_transform(unit=0.5).to_json())
    found = written.evaluate(tmp_path / "evaluation", champion=tmp_path / "champion").document["systems"]["champion"]
    assert found["improvement"]["mase"]["low"] is not None


def test_a_champion_that_defines_a_window_otherwise_is_absent_with_the_reason(tmp_path: Path) -> None:
    gates = ({"metric": "mase", "notWorseThan": "champion"},)
    written = a_forecast(tmp_path, gates=gates)
    other = a_forecast_transform(start_us=8 * DAY_US)
    (tmp_path / "champion" / "transform.json").write_text(other.to_json())
    found = written.evaluate(tmp_path / "evaluation", champion=tmp_path / "champion")
    assert found.gates[0].result == "undecided"
    assert "defines the windows 'lag_7' otherwise" in found.gates[0].why


def test_origins_follow_each_other_by_one_horizon(tmp_path: Path) -> None:
    pictures = a_forecast(tmp_path, test_days=30).evaluate(tmp_path / "evaluation").document["pictures"]
    assert [origin["rows"] for origin in pictures["origins"]] == [84, 84, 84, 84, 24]
    assert [origin["name"][:10] for origin in pictures["origins"]][:2] == ["2026-06-20", "2026-06-27"]
    assert pictures["weekdays"][0]["name"] == "Monday"
    assert sum(day["rows"] for day in pictures["weekdays"]) == 360


def test_the_largest_the_middle_and_the_worst_series_are_drawn(tmp_path: Path) -> None:
    pictures = a_forecast(tmp_path).evaluate(tmp_path / "evaluation").document["pictures"]
    whys = {series["name"]: series["why"] for series in pictures["series"]}
    assert whys['["shop 6"]'].startswith("the largest")
    assert any("worst" in why for why in whys.values())
    assert all(len(series["actual"]) == len(series["times"]) == 56 for series in pictures["series"])


def test_a_single_series_is_drawn_once(tmp_path: Path) -> None:
    pictures = a_forecast(tmp_path, series=1, test_days=70).evaluate(tmp_path / "evaluation").document["pictures"]
    assert [series["why"] for series in pictures["series"]] == ["the only one"]


def test_kubeflow_gets_numbers_and_no_curves(tmp_path: Path) -> None:
    document = a_forecast(tmp_path).evaluate(tmp_path / "evaluation").document
    assert {"mase", "mase_low", "wape_high"} <= set(scalars(document))
    assert np.isfinite(list(scalars(document).values())).all()
    assert (curves(document), confusion(document)) == (None, None)


def _no_naive(prepared: Path) -> None:
    path = prepared / "test.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["__naive"]), path)


def _no_series(prepared: Path) -> None:
    content = json.loads((prepared / "prepare.json").read_text())
    del content["series"]
    (prepared / "prepare.json").write_text(json.dumps(content))


def _no_training_series(prepared: Path) -> None:
    path = prepared / "train.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["__series"]), path)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        pytest.param(_no_training_series, r"train\.parquet.*__series", id="no-series-in-training"),
        pytest.param(_no_naive, "no column '__naive'", id="no-naive"),
        pytest.param(_no_series, "no series in prepare.json", id="no-series"),
    ],
)
def test_what_prepare_did_not_write_is_named(tmp_path: Path, harm: Callable[[Path], None], message: str) -> None:
    written = a_forecast(tmp_path)
    harm(tmp_path / "prepared")
    with pytest.raises(IntegrityError, match=message):
        written.evaluate(tmp_path / "evaluation")
