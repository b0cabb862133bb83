# SPDX-License-Identifier: Apache-2.0
"""Spark writes the very bytes that DuckDB writes: every kind of feature, every take, forecasts; one local JVM."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kelp.spec import Model
from tests.unit.components.ingest.factories import a_bench
from tests.unit.components.prepare.snapshots import Columns, prepared_of
from tests.unit.components.prepare.test_forecast import a_forecast, sales
from tests.unit.components.prepare.test_windows import FEATURES, TAKES, a_rolling_model

ROWS = 300
EVERY_TAKE = [feature for feature in FEATURES if feature["over"] in ("amount", "open", "word")]
pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None, reason="no Java for Spark"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:pyspark"),
]


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small local master, as an environment would name it."""
    options = "--master local[2] --conf spark.sql.shuffle.partitions=2 --conf spark.log.level=ERROR"
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", f"{options} pyspark-shell")


def everything() -> Columns:
    """A table of every type with gaps, hostile names and times that come twice."""
    rng = np.random.default_rng(3)
    at = [datetime(2024, 1, 1) + timedelta(seconds=int(second)) for second in rng.integers(0, 600, ROWS)]
    values: dict[str, Any] = {
        "float": (rng.normal(size=ROWS) * 1e3).tolist(),
        "int": rng.integers(-(2**40), 2**40, ROWS).tolist(),
        "bool": (rng.random(ROWS) < 0.4).tolist(),
        "category": rng.choice(["a", "b", "ä, 'x'", "x\0", "x"], ROWS).tolist(),
        "timestamp": [datetime(1900 + int(year), 5, 6, 7, 8, 9, 123456) for year in rng.integers(0, 200, ROWS)],
    }
    table: dict[str, tuple[str, list[Any]]] = {
        "label": ("category", rng.choice(["yes", "no"], ROWS).tolist()),
        "at": ("timestamp", at),
        "who": ("string", gaps(rng, rng.choice(["ada", "bob", "größe"], ROWS).tolist())),
        "shop": ("int", gaps(rng, rng.integers(0, 3, ROWS).tolist())),
        'say "hi".`x`': ("category", gaps(rng, rng.choice(["u", "v", "w"], ROWS).tolist())),
        "Amount": ("float", gaps(rng, rng.normal(size=ROWS).tolist())),
        "note": ("text", gaps(rng, rng.choice(["good tea", "bad tea", "no jam"], ROWS).tolist())),
    }
    return table | {name: (kind, gaps(rng, values[kind])) for name, (kind, _) in TAKES.items()}


def gaps(rng: np.random.Generator, values: list[Any]) -> list[Any]:
    return [None if is_gap else value for is_gap, value in zip(rng.random(ROWS) < 0.05, values, strict=True)]


def models() -> Iterator[tuple[str, Columns, dict[str, Model]]]:
    declared = {
        "who": {"type": "string", "privacy": "pseudonymise"},
        "amount": {"type": "float", "clip": "1%", "missing": "mean"},
        "shop": {"type": "int", "missing": "drop"},
        "word": {"type": "category", "maxCategories": 3, "missing": "mode"},
    }
    for split, features in (("time", EVERY_TAKE), ("row", EVERY_TAKE[:1])):
        yield (
            f"windows-{split}",
            everything(),
            {
                engine: a_rolling_model(*features, columns=declared, entity="who", split={"by": split}, engine=engine)
                for engine in ("duckdb", "spark")
            },
        )
    yield "forecast", sales(), {engine: a_forecast(engine=engine) for engine in ("duckdb", "spark")}


def test_spark_writes_the_bytes_that_duckdb_writes(tmp_path: Path) -> None:
    bench = a_bench(tmp_path)
    for name, columns, models_by_engine in models():
        found = {
            engine: prepared_of(bench, model, columns, f"{name}-{engine}").folder
            for engine, model in models_by_engine.items()
        }
        files = sorted(path.name for path in found["duckdb"].iterdir())
        assert files == sorted(path.name for path in found["spark"].iterdir())
        assert "history.parquet" in files
        for file in files:
            assert (found["duckdb"] / file).read_bytes() == (found["spark"] / file).read_bytes(), (name, file)


def test_without_java_the_message_says_what_to_do(tmp_path: Path) -> None:
    code = (
        "import pathlib\n"
        "from components.prepare.engine import open_engine\n"
        "from kelp.errors import EnvironmentFault\n"
        f"try:\n    open_engine('spark', pathlib.Path({str(tmp_path)!r})).__enter__()\n"
        "except EnvironmentFault as error:\n    print(error.message, error.place, error.fix)\n"
    )
    environment = {**os.environ, "JAVA_HOME": str(tmp_path / "nowhere")}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.startswith("Spark does not start")
    assert "spec.data.engine" in said.stdout
    assert "JAVA_HOME" in said.stdout
