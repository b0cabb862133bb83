# SPDX-License-Identifier: Apache-2.0
"""`up.json`: a server is running only while its process is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kelp.cli.server import Up, read_up, write_up


def up(pid: int) -> Up:
    return Up(pid=pid, address="http://127.0.0.1:8080", models={"fraud": 3})


def test_a_running_server_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = write_up(tmp_path, up(os.getpid()))
    assert read_up(tmp_path) == up(os.getpid())
    assert list(tmp_path.iterdir()) == [path]


def test_no_file_is_no_server(tmp_path: Path) -> None:
    assert read_up(tmp_path) is None


def test_a_process_that_has_ended_is_no_server(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    write_up(tmp_path, up(process.pid))
    assert read_up(tmp_path) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("{", id="cut off"),
        pytest.param('{"pid": 0, "address": "x", "models": {}}', id="no process"),
        pytest.param('{"pid": -1, "address": "x", "models": {}}', id="every process"),
        pytest.param('{"pid": 99999999999, "address": "x", "models": {}}', id="a number too large"),
        pytest.param('{"pid": 1}', id="half of it"),
    ],
)
def test_what_kelp_did_not_write_is_no_server(tmp_path: Path, text: str) -> None:
    (tmp_path / "up.json").write_text(text)
    assert read_up(tmp_path) is None
