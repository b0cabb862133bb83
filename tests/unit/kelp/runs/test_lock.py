# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from kelp.errors import Conflict
from kelp.runs.lock import is_alive, owned, shared

Holder = Callable[[Path], AbstractContextManager[None]]


def test_a_run_is_alive_while_it_is_owned(tmp_path: Path) -> None:
    assert not is_alive(tmp_path)
    with owned(tmp_path):
        assert is_alive(tmp_path)
    assert not is_alive(tmp_path)


def test_steps_share_the_lock_of_their_run(tmp_path: Path) -> None:
    with owned(tmp_path), shared(tmp_path), shared(tmp_path):
        assert is_alive(tmp_path)


@pytest.mark.parametrize("holder", [pytest.param(owned, id="a runner"), pytest.param(shared, id="a step left over")])
def test_nobody_becomes_a_second_runner(tmp_path: Path, holder: Holder) -> None:
    with holder(tmp_path), pytest.raises(Conflict, match=f"the run {tmp_path.name} is still running"), owned(tmp_path):
        pass


def test_a_run_can_be_owned_again(tmp_path: Path) -> None:
    for _ in range(2):
        with owned(tmp_path):
            assert is_alive(tmp_path)
