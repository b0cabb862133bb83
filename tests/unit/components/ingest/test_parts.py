# SPDX-License-Identifier: Apache-2.0
"""A file that did not change is not read again, and the snapshot has the same bytes as one made from nothing."""

import shutil
from pathlib import Path

import pytest

from kelp.parquet import folder_digests
from tests.unit.components.ingest.factories import Bench, Snapshot, a_bench, a_model

MODEL = a_model(columns={"x": {"type": "float", "max": 90}}, maxBadRows="20%")


def write(bench: Bench, name: str, first: int) -> None:
    rows = "".join(f"{number},{'ab'[number % 2]},{number % 2}\n" for number in range(first, first + 50))
    bench.write(name, f"x,word,label\n{rows}broken\n")


def from_nothing(bench: Bench, root: Path) -> Snapshot:
    other = a_bench(root)
    shutil.copytree(bench.table, other.table, dirs_exist_ok=True)
    return other.ingest(MODEL)


def kept(bench: Bench, ending: str) -> list[Path]:
    return sorted((Path(bench.home.store) / "parts").rglob(f"*{ending}"))


def test_a_grown_source_gives_the_bytes_of_one_from_nothing(bench: Bench, tmp_path: Path) -> None:
    write(bench, "a.csv", 0)
    write(bench, "b.csv", 50)
    assert bench.ingest(MODEL, "first").summary["reused"] == 0
    write(bench, "c.csv", 20)
    grown = bench.ingest(MODEL, "second")
    assert grown.summary["reused"] == 2
    assert folder_digests(grown.folder) == folder_digests(from_nothing(bench, tmp_path / "other").folder)
    assert len(grown.quarantine) == 12


def test_a_type_that_a_new_file_changes_is_changed_in_all_rows(bench: Bench, tmp_path: Path) -> None:
    bench.write("a.csv", "x,n,label\n1,1,a\n2,2,b\n")
    bench.ingest(MODEL, "first")
    bench.write("b.csv", "x,n,label\n1,1.5,a\n")
    grown = bench.ingest(MODEL, "second")
    assert grown.column("n") == [1.0, 2.0, 1.5]
    assert grown.summary["reused"] == 0
    assert folder_digests(grown.folder) == folder_digests(from_nothing(bench, tmp_path / "other").folder)


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(a_model(columns={"x": {"type": "int"}}, maxBadRows="20%"), id="another-contract"),
        pytest.param(a_model(csv={"decimal": ","}, maxBadRows="20%"), id="another-declaration-of-csv"),
    ],
)
def test_parts_of_another_contract_are_not_used(bench: Bench, model: object) -> None:
    write(bench, "a.csv", 0)
    bench.ingest(MODEL, "first")
    assert bench.ingest(model, "second").summary["reused"] == 0  # type: ignore[arg-type]  # a Model, from parametrize


@pytest.mark.parametrize("ending", ["look.json", ".parquet"])
def test_a_damaged_part_is_read_again_with_a_warning(
    bench: Bench, caplog: pytest.LogCaptureFixture, ending: str
) -> None:
    write(bench, "a.csv", 0)
    first = bench.ingest(MODEL, "first")
    (path,) = kept(bench, ending)
    content = path.read_bytes()
    path.write_bytes(
        content.replace(b'"rows":50', b'"rows":51') if ending == "look.json" else content[:-9] + b"123456789"
    )
    second = bench.ingest(MODEL, "second")
    assert second.summary["reused"] == 0
    assert folder_digests(first.folder) == folder_digests(second.folder)
    assert any("a.csv: what was kept of it" in record.getMessage() for record in caplog.records)
    assert path.read_bytes() == content or ending == ".parquet"
    assert bench.ingest(MODEL, "third").summary["reused"] == 1
