# SPDX-License-Identifier: Apache-2.0
"""Two trained models on the same held-out rows, or on others."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from kelp.cli.pairing import pair
from kelp.cli.sides import Side
from kelp.runs.facts import RunFacts
from tests.unit.components.ingest.factories import Bench, a_bench
from tests.unit.components.package.pipeline import a_run, a_task_model, write_table


def a_side(bench: Bench, name: str, rounds: int = 30) -> Side:
    """Train, judge and package a model of the bench's table."""
    run = a_run(bench, a_task_model("binary", params={"rounds": rounds}), name)
    run.package()
    evaluation = json.loads((run.folder / "evaluation" / "evaluation.json").read_text())
    return Side(name, RunFacts(name, run.folder), run.folder / "prepared", run.packaged, evaluation)


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Side]:
    """Two models of one table, and one of another table."""
    one, another = (a_bench(tmp_path_factory.mktemp(name)) for name in ("one", "another"))
    write_table(one, "binary")
    write_table(another, "binary", rows=700)
    return {"weak": a_side(one, "weak", rounds=1), "strong": a_side(one, "strong"), "far": a_side(another, "far")}


def test_the_better_one_on_the_same_rows_is_better_beyond_doubt(sides: dict[str, Side]) -> None:
    weak, strong = sides["weak"], sides["strong"]
    found = pair(weak, strong)

    assert (found.reason, found.rows) == ("", strong.evaluation["data"]["parts"]["test"])
    assert found.improvement["log_loss"]["low"] > 0
    assert pair(strong, weak).improvement["log_loss"]["high"] < 0


def test_a_model_beside_itself_is_even(sides: dict[str, Side]) -> None:
    known = [one for one in pair(sides["weak"], sides["weak"]).improvement.values() if one["low"] is not None]
    assert {(one["low"], one["high"]) for one in known} == {(0.0, 0.0)}


def test_other_rows_are_not_paired(sides: dict[str, Side]) -> None:
    assert pair(sides["weak"], sides["far"]).reason == "they were judged on different held-out rows"


def test_another_question_is_not_paired(sides: dict[str, Side]) -> None:
    strong = sides["strong"]
    regression = replace(strong, evaluation={**strong.evaluation, "model": {"task": "regression"}})
    assert pair(strong, regression).reason == "they answer other questions: binary and regression"


def test_rows_that_are_gone_or_damaged_are_a_reason(sides: dict[str, Side], tmp_path: Path) -> None:
    weak = sides["weak"]
    assert pair(weak, replace(weak, prepared=None)).reason == "the held-out rows of weak are not on this machine"
    assert weak.prepared is not None
    damaged = Path(shutil.copytree(weak.prepared, tmp_path / "damaged"))
    (damaged / "test.parquet").write_bytes(b"no")
    assert pair(weak, replace(weak, prepared=damaged)).reason.startswith("they cannot be scored on the same rows: ")
