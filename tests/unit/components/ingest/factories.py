# SPDX-License-Identifier: Apache-2.0
"""Small models, homes and tables for the tests of the pipeline's steps."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from components.ingest import ingest
from kelp.errors import DataError
from kelp.home import Home, ensure_home, load_home
from kelp.spec import Model, model_from_values


def a_model(
    *,
    task: str = "binary",
    columns: Mapping[str, Mapping[str, Any]] | None = None,
    params: Mapping[str, Any] | None = None,
    gates: Sequence[Mapping[str, Any]] = (),
    legacy: str | None = None,
    **data: Any,
) -> Model:
    """A model of `data://table`, whose target is `label` unless told otherwise; `data` is camelCase."""
    values: dict[str, Any] = {
        "apiVersion": "kelp.dev/v1alpha1",
        "kind": "Model",
        "metadata": {"name": "tiny"},
        "spec": {
            "task": task,
            "data": {"source": "data://table", "target": "label", "columns": dict(columns or {}), **data},
            "train": {"params": dict(params or {"rounds": 5})},
            "gates": list(gates),
        },
    }
    if legacy:
        values["spec"]["legacy"] = {"column": legacy}
    return model_from_values(values, "spec")


@dataclass(frozen=True)
class Bench:
    """A home and the folder `data/table` that the source `data://table` means."""

    root: Path
    home: Home

    @property
    def table(self) -> Path:
        return self.root / "data" / "table"

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.table / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def folder(self, name: str) -> Path:
        path = self.root / name
        path.mkdir(parents=True)
        return path

    def ingest(self, model: Model, name: str = "snapshot", source: str = "") -> "Snapshot":
        folder = self.folder(name)
        return Snapshot(folder, ingest(model, self.home, source, folder))

    def refusal(self, model: Model, source: str = "") -> DataError:
        """Ingest what must be refused: exit code 2, a place, a fix, and nothing kept."""
        folder = self.folder("refused")
        with pytest.raises(DataError) as caught:
            ingest(model, self.home, source, folder)
        error = caught.value
        assert error.exit_code == 2
        assert error.place
        assert error.fix
        assert not (folder / "ingest.json").exists()
        assert not list(Path(self.home.store).iterdir())
        assert [child.name for child in self.root.iterdir() if child.name.startswith(".source-")] == []
        return error


@dataclass(frozen=True)
class Snapshot:
    """What ingest wrote."""

    folder: Path
    summary: dict[str, Any]

    @property
    def rows(self) -> list[dict[str, Any]]:
        return list(pq.read_table(self.folder / "data.parquet").to_pylist())

    def column(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]

    @property
    def types(self) -> dict[str, str]:
        return {name: column["type"] for name, column in self.summary["columns"].items()}

    @property
    def quarantine(self) -> list[dict[str, Any]]:
        rows = pq.read_table(self.folder / "quarantine.parquet").to_pylist()
        assert len(rows) == self.summary["quarantined"]
        return list(rows)


def a_bench(root: Path) -> Bench:
    (root / "data" / "table").mkdir(parents=True)
    return Bench(root, load_home(ensure_home(root / ".kelp")))


def csv_of(rows: Sequence[Sequence[object]]) -> str:
    """CSV of plain cells; the first row is the header."""
    return "".join(",".join(map(str, row)) + "\n" for row in rows)


def json_of(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
