# SPDX-License-Identifier: Apache-2.0
"""Fail when a test was skipped for a reason that tests/allowed_skips.txt does not list.

Usage: python tests/check_skips.py LOG_OF_PYTEST_RS ALLOWED
"""

import re
import sys
from pathlib import Path

_SKIP = re.compile(r"^SKIPPED \[(\d+)\] (\S+?)(?::\d+)?: (.+)$", re.MULTILINE)


def unlisted(log: str, allowed: str) -> list[str]:
    """The skips of a pytest log whose reason is not the part before ` # ` of an allowed line."""
    reasons = {line.split(" # ")[0].strip() for line in allowed.splitlines() if line and not line.startswith("#")}
    return [match[0] for match in _SKIP.finditer(log) if match[3].strip() not in reasons]


if __name__ == "__main__":
    found = unlisted(Path(sys.argv[1]).read_text(), Path(sys.argv[2]).read_text())
    if found:
        sys.exit("skipped without a listed reason:\n" + "\n".join(found))
