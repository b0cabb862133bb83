# SPDX-License-Identifier: Apache-2.0
"""How much memory this process may use: the machine's, or less where a control group says so."""

import os
from collections.abc import Iterator
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")


def memory_limit(groups: Path = _GROUPS, own: Path = Path("/proc/self/cgroup")) -> int:
    """Bytes: the least of physical memory and the limits of this process's control groups (versions 1 and 2)."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(physical, *_limits(groups, own))


def _limits(groups: Path, own: Path) -> Iterator[int]:
    yield 2**63
    files = [groups / "memory.max", groups / "memory" / "memory.limit_in_bytes"]
    if own.is_file():
        for line in own.read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                files.append(groups / path.lstrip("/") / "memory.max")
            elif "memory" in controllers.split(","):
                files.append(groups / "memory" / path.lstrip("/") / "memory.limit_in_bytes")
    for file in files:
        text = file.read_text(encoding="utf-8").strip() if file.is_file() else "max"
        if text != "max":
            yield int(text)
