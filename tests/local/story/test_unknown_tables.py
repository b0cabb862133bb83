# SPDX-License-Identifier: Apache-2.0
"""Real tables that kelp was not made for, written as people write CSV: `init`, `run`, `predict`, nothing edited."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.local.story.workplace import Workplace

Table = tuple[list[str], list[list[str]]]


def iris() -> Table:
    """Three kinds of flowers: words as labels, names with units and umlauts."""
    from sklearn.datasets import load_iris

    data = load_iris()
    names = ["Kelchlänge (cm)", "Kelchbreite (cm)", "Blütenlänge (cm)", "Blütenbreite (cm)", "Art"]
    kinds = [str(data.target_names[kind]) for kind in data.target]
    return names, [[*(f"{value:.1f}" for value in row), kind] for row, kind in zip(data.data, kinds, strict=True)]


def diabetes() -> Table:
    """A regression: 442 patients, gaps in one column."""
    from sklearn.datasets import load_diabetes

    data = load_diabetes()
    rows = [[*(f"{value:.6f}" for value in row), f"{y:.0f}"] for row, y in zip(data.data, data.target, strict=True)]
    for row in rows[::17]:
        row[2] = "NA"
    return [*data.feature_names, "progression"], rows


def digits() -> Table:
    """Ten classes, 64 columns of whole numbers, of which some are always 0."""
    from sklearn.datasets import load_digits

    data = load_digits()
    names = [f"pixel {row},{column}" for row in range(8) for column in range(8)]
    rows = [[*(f"{value:.0f}" for value in row), str(digit)] for row, digit in zip(data.data, data.target, strict=True)]
    return [*names, "digit"], rows


def german_excel(table: Table) -> bytes:
    """Semicolons, decimal commas, Windows-1252, CRLF."""
    names, rows = table
    return _written(names, [[cell.replace(".", ",") for cell in row] for row in rows], ";").encode("windows-1252")


def packed_tabs(table: Table) -> bytes:
    """Tabs, UTF-8 with a byte order mark, gzip."""
    return gzip.compress(b"\xef\xbb\xbf" + _written(*table, "\t").encode())


def all_quoted(table: Table) -> bytes:
    """Commas, every cell in quotes, UTF-16."""
    return _written(*table, ",", csv.QUOTE_ALL).encode("utf-16")


def _written(names: list[str], rows: list[list[str]], delimiter: str, quoting: Any = csv.QUOTE_MINIMAL) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator="\r\n")
    writer.writerows([names, *rows])
    return text.getvalue()


@pytest.mark.parametrize(
    ("table", "write", "ending", "metric"),
    [
        pytest.param(iris, german_excel, "csv", "accuracy", id="iris-from-german-excel"),
        pytest.param(diabetes, packed_tabs, "csv.gz", "r2", id="diabetes-as-packed-tabs"),
        pytest.param(digits, all_quoted, "csv", "accuracy", id="digits-quoted-in-utf-16"),
    ],
)
def test_a_table_is_learnt_from_unedited(
    tmp_path: Path, table: Callable[[], Table], write: Callable[[Table], bytes], ending: str, metric: str
) -> None:
    names, rows = table()
    (tmp_path / f"found.{ending}").write_bytes(write((names, rows)))
    workplace = Workplace(tmp_path)
    workplace.kelp("init", f"found.{ending}", "--target", names[-1])
    workplace.kelp("run", "models/found.yaml")
    evaluation = json.loads((workplace.home / "registry" / "found" / "1" / "evaluation.json").read_text())
    better = evaluation["systems"]["dummy"]["improvement"][metric]
    assert better["low"] > 0
    assert better["value"] > 0.15
    with workplace.serving("found"):
        request = [{name: _value(cell) for name, cell in zip(names[:-1], row, strict=False)} for row in rows[:5]]
        said = workplace.kelp("predict", "found", "--input", "-", "--wait", "60", text=json.dumps(request))
    answers = [json.loads(line) for line in said.splitlines()]
    assert len(answers) == 5
    if metric == "accuracy":
        assert sum(answer["label"] == row[-1] for answer, row in zip(answers, rows, strict=False)) >= 4


def _value(cell: str) -> float | None:
    return None if cell == "NA" else float(cell)
