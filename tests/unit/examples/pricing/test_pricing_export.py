# SPDX-License-Identifier: Apache-2.0
"""What the quotes hold, that spec and request fit them, and that the command is repeatable."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from examples.pricing.__main__ import main
from examples.pricing.price import last_hour
from examples.pricing.quotes import Quotes
from examples.pricing.table import SCHEMA, make_quotes, rush
from kelp.spec import load_model

CHECKOUT = Path(__file__).parents[4]
SPEC = CHECKOUT / "models" / "pricing.yaml"


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path / "1"), "--rows", "2000"]) == 0
    command = [sys.executable, "-m", "examples.pricing", "--out", str(tmp_path / "2"), "--rows", "2000"]
    subprocess.run(command, cwd=CHECKOUT, env={**os.environ, "PYTHONHASHSEED": "2"}, check=True, capture_output=True)
    assert (tmp_path / "1" / "quotes.parquet").read_bytes() == (tmp_path / "2" / "quotes.parquet").read_bytes()


def test_another_seed_gives_other_bytes(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        main(["--out", str(tmp_path / seed), "--seed", seed, "--rows", "2000"])
    assert (tmp_path / "1" / "quotes.parquet").read_bytes() != (tmp_path / "2" / "quotes.parquet").read_bytes()


def test_an_export_replaces_an_earlier_one_and_leaves_other_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for _ in range(2):
        main(["--out", str(tmp_path), "--rows", "2000"])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["notes.txt", "quotes.parquet"])


@pytest.mark.parametrize(("flag", "value"), [("--rows", "0"), ("--days", "0"), ("--seed", "-1")])
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
    assert main(["--out", str(tmp_path / "file"), "--rows", "2000"]) == 4
    assert "choose another --out" in capsys.readouterr().err


def four_quotes() -> Quotes:
    """Three of one sku, at 0 s, 3600 s and 3601 s, and one of another at 3600 s."""
    sku, units = np.array([0, 0, 1, 0]), np.array([5, 7, 9, 2])
    return Quotes(seconds=np.array([0, 3600, 3600, 3601]), sku=sku, units=units, stock=np.full(4, 100))


def test_the_last_hour_holds_the_same_sku_from_one_hour_ago_up_to_but_without_now() -> None:
    units, count = last_hour(four_quotes())
    assert units.tolist() == [0, 5, 0, 7]
    assert count.tolist() == [0, 1, 0, 1]


def test_the_last_hour_is_what_pandas_computes() -> None:
    table = make_quotes(3000, 3, 7).to_pandas()
    seconds = (table.quote_time.astype("int64") // 10**6 - table.quote_time.astype("int64").min() // 10**6).to_numpy()
    sku = table.sku.str[-3:].astype(int).to_numpy()
    units, count = last_hour(Quotes(seconds, sku, table.units.to_numpy(), table.stock.to_numpy()))
    windows = table.set_index("quote_time").groupby("sku").units.rolling("1h", closed="left")
    order = np.lexsort((seconds, sku))
    assert windows.sum().fillna(0).to_numpy().tolist() == units[order].tolist()
    assert windows.count().fillna(0).to_numpy().tolist() == count[order].tolist()


def test_quotes_are_in_order_of_time_and_no_sku_has_two_at_once() -> None:
    table = make_quotes(20_000, 10, 7).to_pandas()
    assert table.quote_time.is_monotonic_increasing
    assert not table.duplicated(["sku", "quote_time"]).any()
    assert 19_500 < len(table) <= 20_000


def test_the_stock_goes_down_by_what_is_sold() -> None:
    table = make_quotes(20_000, 10, 7).to_pandas()
    one = table[table.sku == "ticket-000"]
    fallen = -one.stock.diff().to_numpy()[1:]
    assert ((fallen == one.units.to_numpy()[1:]) | (fallen < 0)).all()
    assert table.stock.min() >= 0


def test_the_spec_declares_every_column() -> None:
    data = load_model(SPEC).spec.data
    assert set(data.columns) | {data.id} == set(SCHEMA.names)


def test_the_request_is_a_quote_a_rush_and_the_same_quote_again() -> None:
    rows = json.loads((CHECKOUT / "examples" / "pricing" / "rush.json").read_text())
    assert rows == rush(7)
    first, last = ({**row, "quote_time": ""} for row in (rows[0], rows[-1]))
    assert len(rows) == 12
    assert first == last
    assert [row["quote_time"] for row in rows] == sorted(row["quote_time"] for row in rows)
    assert set(rows[0]) == set(SCHEMA.names) - {"quote_id", "price_paid"}
    assert (
        rows[0]["base_price"] in make_quotes(2000, 35, 7).to_pandas().set_index("sku").base_price["ticket-011"].values
    )
