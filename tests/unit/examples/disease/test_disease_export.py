# SPDX-License-Identifier: Apache-2.0
"""What the samples hold, that their spec fits them, and that the command is repeatable."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from examples.disease.__main__ import main
from examples.disease.samples import make_samples
from kelp.spec import load_model

CHECKOUT = Path(__file__).parents[4]
SPEC = CHECKOUT / "models" / "disease.yaml"


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path / "1")]) == 0
    command = [sys.executable, "-m", "examples.disease", "--out", str(tmp_path / "2")]
    subprocess.run(command, cwd=CHECKOUT, env={**os.environ, "PYTHONHASHSEED": "2"}, check=True, capture_output=True)
    assert (tmp_path / "1" / "samples.csv").read_bytes() == (tmp_path / "2" / "samples.csv").read_bytes()


def test_another_seed_gives_other_bytes(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        main(["--out", str(tmp_path / seed), "--seed", seed])
    assert (tmp_path / "1" / "samples.csv").read_bytes() != (tmp_path / "2" / "samples.csv").read_bytes()


def test_an_export_replaces_an_earlier_one_and_leaves_other_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for _ in range(2):
        main(["--out", str(tmp_path)])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["notes.txt", "samples.csv"])


@pytest.mark.parametrize(("flag", "value"), [("--seed", "-1")])
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
    assert main(["--out", str(tmp_path / "file")]) == 4
    assert "choose another --out" in capsys.readouterr().err


def test_every_sample_is_of_a_patient_of_its_own_and_in_order_of_the_visit() -> None:
    samples = make_samples(7)
    assert len(set(samples["patient_id"])) == len(set(samples["sample_id"])) == 569
    assert samples["visit_date"] == sorted(samples["visit_date"])


def test_the_measurements_are_the_real_ones_with_their_diagnosis() -> None:
    table = load_breast_cancer()
    real = {(row[0], row[1], row[3]): target for row, target in zip(table.data, table.target, strict=True)}
    samples = make_samples(7)
    keys = zip(*(map(float, samples[name]) for name in ("mean_radius", "mean_texture", "mean_area")), strict=True)
    for key, diagnosis in zip(keys, samples["diagnosis"], strict=True):
        assert real[key] == (diagnosis == "benign")


def test_the_age_band_says_nothing_about_the_diagnosis() -> None:
    bands, is_malignant = np.array(make_samples(7)["age_band"]), np.array(make_samples(7)["diagnosis"]) == "malignant"
    shares = [is_malignant[bands == band].mean() for band in np.unique(bands)]
    assert max(shares) - min(shares) < 0.12


def test_only_measurements_are_features_and_nobody_can_be_named() -> None:
    data = load_model(SPEC).spec.data
    assert {name for name, column in data.columns.items() if column.privacy == "drop"} == {"name", "postcode"}
    assert data.columns["patient_id"].privacy == "pseudonymise"
    named = set(data.columns) | {data.id}
    measured = set(load_breast_cancer().feature_names)
    assert {name.replace("_", " ") for name in set(make_samples(7)) - named} | {"mean radius", "mean area"} == measured


def test_the_request_holds_every_measurement_and_no_identifier() -> None:
    rows = json.loads((CHECKOUT / "examples" / "disease" / "samples.json").read_text())
    measured = {str(name).replace(" ", "_") for name in load_breast_cancer().feature_names}
    assert all(set(row) == measured for row in rows)
