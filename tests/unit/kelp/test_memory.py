# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from kelp.memory import memory_limit


def a_root(root: Path, cgroup: str, limits: dict[str, str]) -> Path:
    for name, text in {"proc/meminfo": "MemTotal:  8388608 kB\n", "proc/self/cgroup": cgroup, **limits}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("cgroup", "limits", "expected"),
    [
        pytest.param("0::/\n", {}, 8 << 30, id="no-limit"),
        pytest.param("0::/\n", {"sys/fs/cgroup/memory.max": "max\n"}, 8 << 30, id="max"),
        pytest.param("0::/pod/a\n", {"sys/fs/cgroup/pod/memory.max": "1073741824\n"}, 1 << 30, id="of-the-pod"),
        pytest.param(
            "4:cpu,memory:/a\n2:cpu:/b\n",
            {"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "2147483648\n"},
            2 << 30,
            id="v1",
        ),
    ],
)
def test_the_smallest_limit_counts(tmp_path: Path, cgroup: str, limits: dict[str, str], expected: int) -> None:
    assert memory_limit(a_root(tmp_path, cgroup, limits)) == expected


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
    assert memory_limit(a_root(tmp_path, own, {f"sys/fs/cgroup/{file}": "1048576\n"})) == 1_048_576


def test_without_a_limit_it_is_the_machines_memory(tmp_path: Path) -> None:
    assert memory_limit(tmp_path) > 2**27


def test_this_machine_has_a_limit() -> None:
    assert memory_limit() > 0
