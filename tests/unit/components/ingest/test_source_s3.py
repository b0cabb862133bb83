# SPDX-License-Identifier: Apache-2.0
"""The same addresses mean the same files in a bucket as in a folder; the server is real."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.ingest.source import resolve
from kelp.errors import DataError
from kelp.home import Home
from tests.contract.store_server import BUCKET, a_home, running_s3

FILES = ("fraud/b.csv", "fraud/a.csv", "fraud/old/z.csv", "fraud/.hidden.csv", "fraud/notes.txt", "fraud2/c.csv")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("s3")
    with running_s3(folder) as server:
        for name in FILES:
            path = server.buckets / BUCKET / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"x\n{name}\n")
        yield a_home(folder, server.endpoint).model_copy(update={"data_root": f"s3://{BUCKET}"})


@pytest.mark.parametrize(
    ("address", "names"),
    [
        pytest.param("data://fraud", ["a.csv", "b.csv"], id="folder"),
        pytest.param("data://fraud/", ["a.csv", "b.csv"], id="folder-with-slash"),
        pytest.param("data://fraud/*.csv", ["a.csv", "b.csv"], id="glob"),
        pytest.param("data://fraud/[b-z].csv", ["b.csv"], id="glob-of-letters"),
        pytest.param("data://fraud/b.csv", ["b.csv"], id="file"),
        pytest.param(f"s3://{BUCKET}/fraud/old", ["z.csv"], id="s3"),
    ],
)
def test_an_address_means_these_objects(home: Home, tmp_path: Path, address: str, names: list[str]) -> None:
    files = resolve(address, home, tmp_path)
    assert [file.name for file in files] == names
    assert all(file.path.read_text().endswith(f"/{file.name}\n") for file in files)


def test_nothing_there_is_an_error(home: Home, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no Parquet or CSV file"):
        resolve("data://nowhere", home, tmp_path)
