# SPDX-License-Identifier: Apache-2.0
"""Equal data, spec, seed and code give equal bytes: across processes, hash seeds, numbers of cores and of threads."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kelp.home import ensure_home
from kelp.parquet import folder_digests
from tests.unit.components.ingest.factories import a_bench, json_of
from tests.unit.components.package.pipeline import write_table

TASKS = ("binary", "multiclass", "regression")
ROWS = 261_000  # more than two row groups of DuckDB and of Parquet, so that threads share the work
SURROUNDINGS = (("1", 1), ("2", 64))  # hash seed, cores at most


def write_large_table(folder: Path) -> None:
    """The columns of `write_table` in three files; one in a thousand rows breaks the contract."""
    rng = np.random.default_rng(3)
    amount, count = rng.normal(size=ROWS), rng.poisson(3, size=ROWS)
    count[::1000] = -1
    seconds = 1_700_000_000 + rng.integers(0, 10**7, size=ROWS)
    table = pa.table(
        {
            "amount": pa.array(amount, mask=rng.random(ROWS) < 0.1),
            "count": count,
            "open": rng.random(ROWS) < 0.4,
            "at": pa.array(seconds, pa.timestamp("s")).cast(pa.timestamp("us")),
            "word": rng.choice(["shop", "café", "it's"], size=ROWS),
            "band": rng.choice(["18-30", "31-50"], size=ROWS),
            "email": [f"person{row}@example.org" for row in range(ROWS)],
            "who": [f"customer-{row % 9973}" for row in range(ROWS)],
            "label": np.where(amount + count + rng.normal(size=ROWS) > 3, "yes", "no"),
        }
    )
    for position in range(3):
        pq.write_table(table.slice(position * ROWS // 3, ROWS // 3), folder / f"{position}.parquet")


def write_data(folder: Path) -> Path:
    """A table a task; that of the binary one is large."""
    source = a_bench(folder / "small")
    for task in TASKS[1:]:
        write_table(source, task)
        shutil.copytree(source.table, folder / "data" / task)
    (folder / "data" / "binary").mkdir()
    write_large_table(folder / "data" / "binary")
    return folder / "data"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two workspaces with the same data and keys, in which a process each ran every step."""
    folder = tmp_path_factory.mktemp("reproducible")
    data = write_data(folder)
    ensure_home(folder / ".kelp")
    found = []
    for hash_seed, cores in SURROUNDINGS:
        root = folder / f"with-{cores}-cores"
        root.mkdir()
        (root / "data").symlink_to(data)
        shutil.copytree(folder / ".kelp" / "keys", root / ".kelp" / "keys")
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": str(min(cores, 2))}
        command = [sys.executable, "-m", "tests.contract.reproducible_run", str(root), str(cores)]
        subprocess.run(command, env=environment, check=True, timeout=280, cwd=Path(__file__).parents[2])
        found.append(root)
    return found


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("step", ["snapshot", "prepared", "trained", "evaluation", "packaged"])
def test_two_runs_write_the_same_bytes(runs: list[Path], task: str, step: str) -> None:
    first, second = (folder_digests(root / task / step) for root in runs)
    assert first
    assert first == second


def test_the_large_table_went_through_every_branch(runs: list[Path]) -> None:
    summary = json_of(runs[0] / "binary" / "snapshot" / "ingest.json")
    assert summary["quarantined"] == 261
    assert summary["rows"] > 2 * 122_880
    evaluation = json_of(runs[0] / "binary" / "evaluation" / "evaluation.json")
    assert evaluation["systems"]["candidate"]["metrics"]["roc_auc"]["value"] > 0.8


def test_the_order_of_rows_is_that_of_the_source(runs: list[Path]) -> None:
    source = [pq.read_table(path) for path in sorted((runs[0] / "data" / "binary").iterdir())]
    good = pa.concat_tables(source).filter(pa.array(np.arange(ROWS) % 1000 != 0))
    kept = pq.read_table(runs[0] / "binary" / "snapshot" / "data.parquet")
    assert kept.column("email").equals(good.column("email"))
