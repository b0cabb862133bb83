# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from components.prepare.memory import memory_limit


@pytest.mark.parametrize(
    ("own", "file"),
    [
        pytest.param("0::/pod/step\n", "memory.max", id="version-2-inside-a-container"),
        pytest.param("0::/pod/step\n", "pod/step/memory.max", id="version-2"),
        pytest.param("4:memory:/pod\n3:cpu:/pod\n", "memory/pod/memory.limit_in_bytes", id="version-1"),
        pytest.param("4:cpu,memory:/pod\n", "memory/memory.limit_in_bytes", id="version-1-inside-a-container"),
    ],
)
def test_the_limit_of_a_control_group_counts(tmp_path: Path, own: str, file: str) -> None:
    (tmp_path / "own").write_text(own)
    limit = tmp_path / "groups" / file
    limit.parent.mkdir(parents=True)
    limit.write_text("1048576\n")
    assert memory_limit(tmp_path / "groups", tmp_path / "own") == 1_048_576


def test_without_a_limit_it_is_the_machines_memory(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_limit(tmp_path, tmp_path / "nothing") > 2**27
