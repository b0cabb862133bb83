# SPDX-License-Identifier: Apache-2.0
"""The command: the same bytes for the same arguments, the same rows in both formats, clear refusals."""

import csv
import hashlib
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pyarrow.parquet
import pytest

from examples.fraud.__main__ import main
from examples.fraud.table import SCHEMA, UNREADABLE_AMOUNT
from kelp.spec import load_model, refuse_unbuilt

CHECKOUT = Path(__file__).parents[4]
SPEC = CHECKOUT / "models" / "fraud.yaml"


def write(out: Path, *arguments: str) -> dict[str, str]:
    """Run the command in a process of its own; return each file's digest."""
    environment = {**os.environ, "PYTHONHASHSEED": out.name[-1]}
    command = [sys.executable, "-m", "examples.fraud", "--out", str(out), "--rows", "3000", *arguments]
    subprocess.run(command, cwd=CHECKOUT, env=environment, check=True, capture_output=True)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.iterdir())}


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    arguments = ("--format", "both", "--covariate-drift", "0.3", "--concept-drift", "0.2", "--group-bias", "0.5")
    assert write(tmp_path / "1", *arguments) == write(tmp_path / "2", *arguments)


def test_one_file_a_month(tmp_path: Path) -> None:
    main(["--out", str(tmp_path), "--rows", "500"])
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "payments-2026-01.parquet",
        "payments-2026-02.parquet",
        "payments-2026-03.parquet",
    ]


def test_parquet_is_typed(tmp_path: Path) -> None:
    main(["--out", str(tmp_path), "--rows", "500"])
    assert pyarrow.parquet.read_schema(tmp_path / "payments-2026-01.parquet").equals(SCHEMA)


def csv_cell(value: object) -> str:
    """What CSV shows of a Parquet value; the -1 that stands for text is left as it is."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def same_number(text: str) -> str:
    """The text of a number as `csv_cell` writes it."""
    return f"{float(text):g}" if text else ""


def test_csv_and_parquet_hold_the_same_rows(tmp_path: Path) -> None:
    main(["--out", str(tmp_path), "--rows", "2000", "--days", "31", "--format", "both", "--dirty", "0.01"])
    table = pyarrow.parquet.read_table(tmp_path / "payments-2026-01.parquet")
    from_parquet = [{name: csv_cell(value) for name, value in row.items()} for row in table.to_pylist()]
    with (tmp_path / "payments-2026-01.csv").open(encoding="utf-8", newline="") as file:
        from_csv = list(csv.DictReader(file))
    unreadable = [row for row in from_csv if row["amount"] == UNREADABLE_AMOUNT]
    for row in unreadable:
        row["amount"] = "-1"
    for row in from_csv:
        row.update({name: same_number(row[name]) for name in ("amount", "device_score", "old_score")})
    assert len(unreadable) == 5
    assert from_csv == from_parquet


def test_a_second_export_replaces_the_first_and_leaves_other_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    main(["--out", str(tmp_path), "--rows", "500", "--format", "both"])
    main(["--out", str(tmp_path), "--rows", "500", "--days", "5"])
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["notes.txt", "payments-2026-01.parquet"]


def test_the_summary_names_rows_and_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path), "--rows", "1000", "--days", "31"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("wrote 1,000 payments (")
    assert lines[1:] == [f"  {tmp_path / 'payments-2026-01.parquet'}"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--rows", "0"], "expected a whole number from 1 to", id="no rows"),
        pytest.param(["--rows", "many"], "got 'many'", id="rows in words"),
        pytest.param(["--days", "100000"], "from 1 to 3650", id="centuries"),
        pytest.param(["--seed", "-1"], "expected a whole number from 0", id="negative seed"),
        pytest.param(["--dirty", "1.5"], "expected a share between 0 and 1", id="more than all rows dirty"),
        pytest.param(["--concept-drift", "nan"], "expected a share between 0 and 1", id="not a number"),
    ],
)
def test_a_wrong_argument_is_refused_by_name(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refusal:
        main(["--out", str(tmp_path / "out"), *arguments])
    error = capsys.readouterr().err
    assert refusal.value.code == 2
    assert message in error
    assert arguments[0] in error
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["--out", str(tmp_path / "file"), "--rows", "10"]) == 4
    assert "choose another --out" in capsys.readouterr().err


def test_the_spec_declares_every_column_of_the_export_and_can_run() -> None:
    model = load_model(SPEC)
    refuse_unbuilt(model, str(SPEC))
    assert set(model.spec.data.columns) | {model.spec.data.id} == set(SCHEMA.names)


def test_the_old_score_and_the_age_band_are_no_features() -> None:
    columns = load_model(SPEC).spec.data.columns
    assert columns["old_score"].feature is False
    assert columns["age_band"].feature is False
