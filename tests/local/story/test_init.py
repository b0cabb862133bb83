# SPDX-License-Identifier: Apache-2.0
"""`kelp init` on a table it has never seen: sixty columns, with dates, categories, ids and gaps; nothing is edited."""

import csv
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_diabetes, load_wine

from tests.local.story.workplace import Workplace

ROWS = 1_500


def test_sixty_unknown_columns_run_and_answer_unedited(fresh: Workplace) -> None:
    table = fresh.folder / "churn.csv"
    write_churn(table)
    fresh.kelp("init", "churn.csv", "--target", "churned")
    fresh.kelp("run", "models/churn.yaml")
    with fresh.serving("churn"):
        said = fresh.kelp("predict", "churn", "--input", "churn.csv", "--limit", "5", "--wait", "60")
    answers = [json.loads(line) for line in said.splitlines()]
    assert len(answers) == 5
    assert {answer["label"] for answer in answers} <= {"yes", "no"}


def write_churn(path: Path) -> None:
    """Sixty columns whose names and kinds kelp was not made for."""
    dice = random.Random(7)
    start = datetime(2025, 1, 1, tzinfo=UTC)
    rows = []
    for number in range(ROWS):
        usage = [round(dice.gauss(10, 3), 2) for _ in range(40)]
        visits = [dice.randrange(50) for _ in range(10)]
        plan = dice.choice(["basic", "plus", "pro, annual", "ünlimited"])
        churned = usage[0] + 0.2 * visits[0] + dice.gauss(0, 1) < 12
        rows.append(
            {
                "Customer ID": f"C-{number:06}",
                "signup date": (start + timedelta(days=dice.randrange(300))).date().isoformat(),
                "last_seen_at": (start + timedelta(minutes=number * 7)).isoformat(),
                "plan": plan,
                "region": dice.choice(["north", "south", "", "N/A"]),
                "is_business": dice.choice(["true", "false"]),
                "email": f"user{number}@example.org",
                "notes": f'free text {dice.random()} "quoted"',
                **{f"usage {i:02}": "" if dice.random() < 0.1 else value for i, value in enumerate(usage)},
                **{f"visits_{i}": value for i, value in enumerate(visits)},
                "only_gaps": "",
                "churned": "yes" if churned else "no",
            }
        )
    assert len(rows[0]) == 60
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(
    ("name", "load"),
    [
        pytest.param("wine", load_wine, id="three classes that are numbers"),
        pytest.param("diabetes", load_diabetes, id="a regression on tens of rows"),
    ],
)
def test_other_tasks_run_and_answer_unedited(fresh: Workplace, name: str, load: Callable[..., Any]) -> None:
    load(as_frame=True).frame.to_csv(fresh.folder / f"{name}.csv", index=False, sep=";")
    fresh.kelp("init", f"{name}.csv", "--target", "target")
    fresh.kelp("run", f"models/{name}.yaml")
    with fresh.serving(name):
        said = fresh.kelp("predict", name, "--input", f"{name}.csv", "--limit", "3", "--wait", "60")
    assert all("score" in json.loads(line) for line in said.splitlines())
