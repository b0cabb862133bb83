# SPDX-License-Identifier: Apache-2.0
"""What the lists hold, that spec and request fit them, and that the command is repeatable."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd  # ships no types
import pytest

from examples.recommendations.__main__ import main
from examples.recommendations.table import SCHEMA, make_lists
from examples.recommendations.world import LIST_LENGTH
from kelp.spec import load_model

CHECKOUT = Path(__file__).parents[4]
SPEC = CHECKOUT / "models" / "recommendations.yaml"


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path / "1"), "--users", "30", "--weeks", "3"]) == 0
    command = [
        sys.executable,
        "-m",
        "examples.recommendations",
        "--out",
        str(tmp_path / "2"),
        "--users",
        "30",
        "--weeks",
        "3",
    ]
    subprocess.run(command, cwd=CHECKOUT, env={**os.environ, "PYTHONHASHSEED": "2"}, check=True, capture_output=True)
    assert (tmp_path / "1" / "lists.parquet").read_bytes() == (tmp_path / "2" / "lists.parquet").read_bytes()


def test_another_seed_gives_other_bytes(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        main(["--out", str(tmp_path / seed), "--seed", seed, "--users", "30", "--weeks", "3"])
    assert (tmp_path / "1" / "lists.parquet").read_bytes() != (tmp_path / "2" / "lists.parquet").read_bytes()


def test_an_export_replaces_an_earlier_one_and_leaves_other_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for _ in range(2):
        main(["--out", str(tmp_path), "--users", "30", "--weeks", "3"])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["notes.txt", "lists.parquet"])


@pytest.mark.parametrize(("flag", "value"), [("--users", "0"), ("--weeks", "0"), ("--seed", "-1")])
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
    assert main(["--out", str(tmp_path / "file"), "--users", "30", "--weeks", "3"]) == 4
    assert "choose another --out" in capsys.readouterr().err


@pytest.fixture(scope="module")
def lists() -> pd.DataFrame:
    return make_lists(60, 6, 7).to_pandas()


def test_one_item_of_each_list_is_bought(lists: pd.DataFrame) -> None:
    by_list = lists.groupby(["user_id", "shown_at"])
    assert (by_list.size() == LIST_LENGTH).all()
    assert (by_list.bought.agg(lambda bought: (bought == "true").sum()) == 1).all()
    assert (by_list.item_id.nunique() == LIST_LENGTH).all()
    assert (lists.groupby("user_id").shown_at.nunique() == 6).all()


def test_rows_are_in_order_of_time(lists: pd.DataFrame) -> None:
    assert lists.shown_at.is_monotonic_increasing
    assert lists.user_id.iloc[0] != lists.user_id.min()


def test_only_the_weeks_since_a_category_are_missing(lists: pd.DataFrame) -> None:
    missing = lists.isna().mean()
    assert set(missing[missing > 0].index) == {"weeks_since_category"}


def test_a_row_counts_what_was_bought_before_its_week_and_nothing_else(lists: pd.DataFrame) -> None:
    user = lists[lists.user_id == "user-00003"].assign(week=lambda rows: rows.shown_at.dt.isocalendar().week)
    bought = user[user.bought == "true"].set_index("week").category
    for week in (3, 5):
        category = bought[week]
        after = user[(user.week == week + 1) & (user.category == category)]
        assert (after.weeks_since_category == 1).all()
    last_seen = user[user.weeks_since_category.notna()]
    for row in last_seen.itertuples():
        week = row.week - row.weeks_since_category
        assert week < min(bought.index) or bought[week] == row.category


def test_a_longer_export_begins_with_the_shorter_one() -> None:
    short, long = make_lists(20, 2, 7), make_lists(20, 4, 7)
    assert long.slice(0, short.num_rows).equals(short)


def test_the_spec_declares_every_column() -> None:
    assert set(load_model(SPEC).spec.data.columns) == set(SCHEMA.names)


def test_the_request_is_a_part_of_the_last_list() -> None:
    rows = json.loads((CHECKOUT / "examples" / "recommendations" / "list.json").read_text())
    last = make_lists(500, 20, 7).slice(500 * 20 * LIST_LENGTH - LIST_LENGTH).to_pylist()
    assert len(rows) == 5
    assert all(row in [{name: of_list[name] for name in row} for of_list in last] for row in rows)
    assert set(rows[0]) == set(SCHEMA.names) - {"shown_at", "user_id", "bought"}
