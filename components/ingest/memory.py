# SPDX-License-Identifier: Apache-2.0
"""How much memory a query may use before it spills to disk: half of what the process may have."""

import resource
from collections.abc import Iterable
from pathlib import Path

_LEAST = 256 << 20  # DuckDB cannot work with less


def query_memory(limits: Iterable[int]) -> int:
    """Return half of the smallest limit, in bytes: the other half is for Arrow, Python and what DuckDB does not count.

    Args:
        limits: in bytes, at least one.
    """
    return max(_LEAST, min(limits) // 2)


def read_limits(root: Path = Path("/")) -> list[int]:
    """Return what limits this process, in bytes: physical memory, its cgroup and those above it (v2, v1), ulimit -v.

    Args:
        root: of the filesystem that has `proc` and `sys`.
    """
    meminfo = (root / "proc/meminfo").read_text(encoding="ascii")
    total = next(line for line in meminfo.splitlines() if line.startswith("MemTotal:"))
    limits = [int(total.split()[1]) << 10, *_cgroup_limits(root)]
    address_space = resource.getrlimit(resource.RLIMIT_AS)[0]
    return limits if address_space == resource.RLIM_INFINITY else [*limits, address_space]


def _cgroup_limits(root: Path) -> Iterable[int]:
    lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    for _, controllers, path in (line.split(":", 2) for line in lines):
        if controllers and "memory" not in controllers.split(","):
            continue
        mount, name = ("memory", "memory.limit_in_bytes") if controllers else ("", "memory.max")
        below = Path(path.lstrip("/"))
        for folder in (below, *below.parents):
            file = root / "sys/fs/cgroup" / mount / folder / name
            if file.is_file() and (text := file.read_text(encoding="ascii").strip()).isdigit():
                yield int(text)
