# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from components.ingest.memory import query_memory, read_limits


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
    assert min(read_limits(a_root(tmp_path, cgroup, limits))) == expected


def test_queries_get_half_of_the_smallest_limit() -> None:
    assert query_memory([8 << 30, 4 << 30]) == 2 << 30
    assert query_memory([100 << 20]) == 256 << 20


def test_this_machine_has_a_limit() -> None:
    assert min(read_limits()) > 0
