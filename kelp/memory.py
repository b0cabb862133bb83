# SPDX-License-Identifier: Apache-2.0
"""How much memory this process may use: the machine's, or less where a control group or `ulimit -v` says so."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path


def memory_limit(root: Path = Path("/")) -> int:
    """Return the least limit of this process in bytes.

    Args:
        root: of the filesystem that has `proc` and `sys`; without them, as on macOS, only the others count.
    """
    limits = [_physical(root / "proc/meminfo"), *_cgroup_limits(root)]
    address_space = resource.getrlimit(resource.RLIMIT_AS)[0]
    return min(limits if address_space == resource.RLIM_INFINITY else [*limits, address_space])


def _physical(meminfo: Path) -> int:
    if not meminfo.is_file():
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    lines = meminfo.read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("MemTotal:")).split()[1]) << 10


def _cgroup_limits(root: Path) -> Iterator[int]:
    """Of the process's control groups and those above them, versions 1 and 2."""
    own = root / "proc/self/cgroup"
    lines = own.read_text(encoding="utf-8").splitlines() if own.is_file() else []
    for _, controllers, path in (line.split(":", 2) for line in lines):
        if controllers and "memory" not in controllers.split(","):
            continue
        mount, name = ("memory", "memory.limit_in_bytes") if controllers else ("", "memory.max")
        below = Path(path.lstrip("/"))
        for folder in (below, *below.parents):
            file = root / "sys/fs/cgroup" / mount / folder / name
            if file.is_file() and (text := file.read_text(encoding="ascii").strip()).isdigit():
                yield int(text)
