# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from tests.unit.components.ingest.factories import Bench, a_bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return a_bench(tmp_path)
