# SPDX-License-Identifier: Apache-2.0
"""`kelp init`: from a table to a spec that loads, or to an error and no file."""

from pathlib import Path

import pytest

from kelp.spec import load_model
from tests.contract.command_line import CommandLine, command_line


@pytest.fixture
def kelp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return command_line(tmp_path, monkeypatch, capsys)


def table(path: Path, *, labels: tuple[str, ...] = ("yes", "no")) -> Path:
    """Forty rows with a hostile column name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{number},{number / 7:.3f},{labels[number % len(labels)]}" for number in range(40)]
    path.write_text("\n".join(['payment_id,"amount: #1, ""net""",left', *rows]) + "\n", encoding="utf-8")
    return path


def test_a_table_becomes_a_spec_that_loads(kelp: CommandLine) -> None:
    table(kelp.folder / "Churn Data.csv")
    said = kelp("init", "Churn Data.csv", "--target", "left")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "wrote models/churn-data.yaml: 40 rows, 3 columns",
        "next: kelp run models/churn-data.yaml",
    ]
    model = load_model(kelp.folder / "models" / "churn-data.yaml")
    assert (model.name, model.spec.task, model.spec.data.positive) == ("churn-data", "binary", "yes")
    assert model.spec.data.source == f"file://{kelp.folder}/Churn Data.csv"
    assert list(model.spec.data.columns) == ["payment_id", 'amount: #1, "net"', "left"]
    assert model.spec.data.id == "payment_id"


def test_data_below_the_data_root_is_written_so_that_it_runs_anywhere(kelp: CommandLine) -> None:
    table(kelp.folder / "data" / "churn" / "a.csv")
    assert kelp("init", "data/churn/*.csv", "--target", "left").code == 0
    assert load_model(kelp.folder / "models" / "churn.yaml").spec.data.source == "data://churn/*.csv"


def test_a_path_through_the_folder_above_is_resolved(kelp: CommandLine) -> None:
    table(kelp.folder / "churn.csv")
    (kelp.folder / "below").mkdir()
    kelp.monkeypatch.chdir(kelp.folder / "below")
    assert kelp("init", "../churn.csv", "--target", "left").code == 0
    assert load_model(Path("models/churn.yaml")).spec.data.source == f"file://{kelp.folder}/churn.csv"


def test_the_folder_itself_gives_the_name(kelp: CommandLine) -> None:
    table(kelp.folder / "churn" / "a.csv")
    kelp.monkeypatch.chdir(kelp.folder / "churn")
    assert kelp("init", ".", "--target", "left").code == 0
    assert load_model(Path("models/churn.yaml")).name == "churn"


def test_an_existing_file_is_replaced_only_when_told(kelp: CommandLine) -> None:
    table(kelp.folder / "churn.csv")
    path = kelp.folder / "models" / "churn.yaml"
    path.parent.mkdir()
    path.write_text("mine")
    said = kelp("init", "churn.csv", "--target", "left")
    assert (said.code, path.read_text()) == (2, "mine")
    assert "--force" in said.err
    assert kelp("init", "churn.csv", "--target", "left", "--force").code == 0
    assert load_model(path).name == "churn"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param(["gone.csv", "--target", "left"], "no Parquet or CSV file", id="no data"),
        pytest.param(["churn.csv", "--target", "lft"], "expected a column 'lft'", id="no such column"),
        pytest.param(
            ["churn.csv", "--target", "left", "--name", "../x"], "metadata.name: expected at most 40", id="name"
        ),
        pytest.param(
            ["one.csv", "--target", "left"], "expected two or more different values of 'left', found 1", id="one"
        ),
        pytest.param(
            ["texts.csv", "--target", "left"],
            "expected labels or numbers in 'left', found 40 different texts",
            id="texts",
        ),
    ],
)
def test_what_cannot_become_a_spec_is_2_and_no_file(kelp: CommandLine, arguments: list[str], error: str) -> None:
    table(kelp.folder / "churn.csv")
    table(kelp.folder / "one.csv", labels=("yes",))
    table(kelp.folder / "texts.csv", labels=tuple(f"text {number}" for number in range(40)))
    said = kelp("init", *arguments)
    assert said.code == 2
    assert error in said.err
    assert not list(kelp.folder.rglob("*.yaml*"))


def test_a_file_where_the_folder_should_be_is_4(kelp: CommandLine) -> None:
    table(kelp.folder / "churn.csv")
    (kelp.folder / "models").write_text("a file")
    said = kelp("init", "churn.csv", "--target", "left")
    assert said.code == 4
    assert said.err.startswith("error: models")
