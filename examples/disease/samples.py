# SPDX-License-Identifier: Apache-2.0
"""The breast-cancer table that scikit-learn ships, given back the patients that such a table would have in a hospital.

Measurements and diagnoses are real (Wolberg, Mangasarian, Street & Street, Breast Cancer Wisconsin Diagnostic, 1995).
Identifiers, postcodes, age bands and dates are invented and independent of both.
"""

import csv
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer

from examples.export import replacing

AGE_BANDS = {"30-49": 0.35, "50-64": 0.4, "65+": 0.25}  # share of patients
FIRST_VISIT = np.datetime64("2025-01-06", "D")
DAYS = 365
_FIRST_NAMES = ("Ada", "Bela", "Carla", "Dana", "Edda", "Fatma", "Grit", "Hanna", "Ines", "Jana", "Klara", "Lena")
_LAST_NAMES = ("Abel", "Brandt", "Cordes", "Demir", "Ebert", "Frey", "Graf", "Huber", "Ivanova", "Jung", "Kraft")


def make_samples(seed: int) -> dict[str, list[str]]:
    """Return 569 samples, one a patient, in order of the visit: each column as the texts of a CSV file."""
    table = load_breast_cancer()
    rows = len(table.target)
    rng = np.random.default_rng([seed, 1])
    order = rng.permutation(rows)  # the source's order says something about the diagnosis
    measured, is_benign = table.data[order], table.target[order]
    numbers = rng.permutation(90_000)[:rows] + 10_000
    days = FIRST_VISIT + np.sort(rng.integers(DAYS, size=rows)).astype("timedelta64[D]")
    columns = {
        "sample_id": [f"sample-{row:04}" for row in range(1, rows + 1)],
        "visit_date": [str(day) for day in days],
        "patient_id": [f"P-{number}" for number in numbers],
        "name": _names(rows, rng),
        "postcode": [f"{code:05}" for code in rng.integers(1_000, 99_999, size=rows)],
        "age_band": [str(band) for band in rng.choice(list(AGE_BANDS), size=rows, p=list(AGE_BANDS.values()))],
    }
    for position, name in enumerate(table.feature_names):
        columns[str(name).replace(" ", "_")] = [repr(float(value)) for value in measured[:, position]]
    columns["diagnosis"] = ["benign" if benign else "malignant" for benign in is_benign]
    return columns


def _names(rows: int, rng: np.random.Generator) -> list[str]:
    firsts, lasts = rng.choice(_FIRST_NAMES, size=rows), rng.choice(_LAST_NAMES, size=rows)
    return [f"{first} {last}" for first, last in zip(firsts, lasts, strict=True)]


def write_samples(folder: Path, seed: int) -> Path:
    """Write `samples.csv` into the folder, which is created if it is missing; return its path.

    Raises:
        OSError: the folder cannot be written.
    """
    columns = make_samples(seed)
    path = folder / "samples.csv"
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path
