# SPDX-License-Identifier: Apache-2.0
"""What the server tells the audit log, and that no error of it ends that."""

from pathlib import Path
from typing import Any

import pytest

from serving.runtime.audit import LoadAudit
from serving.source import Source


class ALog:
    """Fails as nobody expected, once."""

    def __init__(self) -> None:
        self.records: list[tuple[str, str]] = []
        self.is_closed = False
        self._problems: list[Exception] = [RuntimeError("a fault of the program")]

    def append(self, action: str, subject: str, detail: dict[str, str]) -> None:
        if self._problems:
            raise self._problems.pop()
        self.records.append((action, subject))

    def close(self) -> None:
        self.is_closed = True


class AnAudit(LoadAudit):
    """At such a log."""

    def __init__(self) -> None:
        self.log = ALog()
        super().__init__(Path("home.toml"))

    def _opened(self) -> Any:
        return self.log


def test_an_unexpected_error_costs_its_record_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    audit = AnAudit()
    for version in (1, 2):
        audit.loaded(Source("fraud", version, tmp_path))
    audit.close(30)
    assert (audit.log.records, audit.log.is_closed) == ([("model.load", "fraud/2")], True)
    assert "the audit log has no record model.load fraud/1" in caplog.text
    assert "a fault of the program" in caplog.text
