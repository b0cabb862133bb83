# SPDX-License-Identifier: Apache-2.0
"""The workplaces that several stories share; a path with a space, as on many a laptop."""

from pathlib import Path

import pytest

from tests.local.story.workplace import Workplace, new_workplace

ROWS = 60_000


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A workplace whose fraud model was trained once; tests that share it only read."""
    workplace = new_workplace(tmp_path_factory.mktemp("a laptop") / "trained once", ROWS)
    workplace.kelp("run", "models/fraud.yaml")
    return workplace


@pytest.fixture
def fresh(tmp_path: Path) -> Workplace:
    """A workplace of one test's own, with fewer rows."""
    return new_workplace(tmp_path / "my project", 12_000)
