# SPDX-License-Identifier: Apache-2.0
"""What the sales hold, that spec and request fit them, and that the command is repeatable."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd  # ships no types
import pytest

from examples.demand.__main__ import main
from examples.demand.sales import draw_plan, draw_sales
from examples.demand.shops import CLOSED_DAYS, CLOSED_FROM, NEW_DAYS
from examples.demand.table import make_sales, next_days
from kelp.spec import load_model

CHECKOUT = Path(__file__).parents[4]
SPEC = CHECKOUT / "models" / "demand.yaml"


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path / "1"), "--days", "60"]) == 0
    command = [sys.executable, "-m", "examples.demand", "--out", str(tmp_path / "2"), "--days", "60"]
    subprocess.run(command, cwd=CHECKOUT, env={**os.environ, "PYTHONHASHSEED": "2"}, check=True, capture_output=True)
    assert (tmp_path / "1" / "sales.csv").read_bytes() == (tmp_path / "2" / "sales.csv").read_bytes()


def test_another_seed_gives_other_bytes(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        main(["--out", str(tmp_path / seed), "--seed", seed, "--days", "60"])
    assert (tmp_path / "1" / "sales.csv").read_bytes() != (tmp_path / "2" / "sales.csv").read_bytes()


def test_an_export_replaces_an_earlier_one_and_leaves_other_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for _ in range(2):
        main(["--out", str(tmp_path), "--days", "60"])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["notes.txt", "sales.csv"])


@pytest.mark.parametrize(("flag", "value"), [("--days", "0"), ("--seed", "-1")])
def test_a_wrong_argument_is_refused_by_name(
    flag: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refusal:
        main(["--out", str(tmp_path / "out"), flag, value])
    assert refusal.value.code == 2
    assert f"argument {flag}: expected a whole number" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["--out", str(tmp_path / "file"), "--days", "60"]) == 4
    assert "choose another --out" in capsys.readouterr().err


@pytest.fixture(scope="module")
def sales() -> pd.DataFrame:
    return make_sales(730, 7).to_pandas()


def test_no_series_has_two_rows_of_one_day(sales: pd.DataFrame) -> None:
    assert not sales.duplicated(["date", "store", "product"]).any()
    assert len(sales[["store", "product"]].drop_duplicates()) == 96


def test_nothing_is_sold_from_an_empty_shelf(sales: pd.DataFrame) -> None:
    assert 0.005 < sales.stockout.mean() < 0.03
    assert (sales.units[sales.stockout] == 0).all()


def test_the_new_product_is_in_the_last_days_only(sales: pd.DataFrame) -> None:
    new = sales[sales["product"] == "protein-bar"]
    assert new.date.nunique() == NEW_DAYS
    assert new.date.max() == sales.date.max()


def test_a_shut_shop_and_lost_reports_leave_holes(sales: pd.DataFrame) -> None:
    days = sales[sales.store == "hill"].date.nunique()
    assert days == 730 - CLOSED_DAYS
    assert len(sales[(sales.store == "centre") & (sales["product"] == "milk")]) < 730
    assert CLOSED_FROM + CLOSED_DAYS < 730 * 0.8


def test_a_promotion_and_a_saturday_sell_more(sales: pd.DataFrame) -> None:
    milk = sales[(sales.store == "centre") & (sales["product"] == "milk") & ~sales.stockout]
    weekday = pd.to_datetime(milk.date).dt.weekday
    assert milk.units[milk.promotion].mean() > 1.4 * milk.units[~milk.promotion].mean()
    assert milk.units[weekday == 5].mean() > 1.4 * milk.units[weekday == 1].mean()
    assert milk.price[milk.promotion].max() < milk.price[~milk.promotion].min()


def test_what_is_known_ahead_is_the_same_before_and_after_the_export() -> None:
    plan = draw_plan(60, 7)
    assert plan.day.size == 74
    assert draw_sales(plan, 60, 7).units.shape[2] == 60


def test_the_spec_declares_every_column(sales: pd.DataFrame) -> None:
    data = load_model(SPEC).spec.data
    assert set(data.columns) == set(sales.columns)
    assert data.columns["stockout"].feature is False


def test_the_request_asks_for_the_days_after_the_export_without_their_units(sales: pd.DataFrame) -> None:
    rows = json.loads((CHECKOUT / "examples" / "demand" / "next-days.json").read_text())
    series = load_model(SPEC).spec.data.series
    assert rows == next_days(730, 7, [("mall", "ice-cream"), ("airport", "protein-bar")])
    assert series is not None
    assert set(rows[0]) == {"date", *series.key, *series.known_ahead}
    assert min(row["date"] for row in rows) > sales.date.max()
    assert {row["promotion"] for row in rows} == {True, False}
