# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.train.network_layout import Survey, layout_of
from components.train.network_rows import Block, Moments, open_source
from components.train.network_settings import settings_of
from tests.unit.components.train.networks import a_table


def a_fit(folder: Path, limit: int, params: dict[str, Any]) -> tuple[Any, Any]:
    """A fit at its start, and its rows, of which `limit` bytes may be held in memory."""
    from components.train.network_fit import Fit
    from components.train.network_layers import Layers

    training = a_table(folder, rows=2000, params=params)
    survey = Survey(Moments(), Moments(), Moments())
    source = open_source(training.rows, survey.see, limit)
    settings = settings_of(params, is_text=False, rows=2000)
    return Fit(Layers(layout_of(training.transform, survey), settings), settings, training), source


def losses(folder: Path, limit: int) -> list[float]:
    from components.train.network_fit import steady

    with steady(7, "cpu"):
        fit, source = a_fit(folder, limit, {"epochs": 4})
        epochs, _ = fit.run(source, None, lambda done, total: None)
        return [epoch.training for epoch in epochs]


def test_streamed_rows_are_learned_like_those_in_memory_and_always_alike(tmp_path: Path) -> None:
    streamed, kept = losses(tmp_path, 0), losses(tmp_path, 10**6)
    assert streamed == losses(tmp_path, 0)
    assert streamed[-1] < 0.6 * streamed[0]
    assert streamed[-1] == pytest.approx(kept[-1], rel=0.2)


@pytest.mark.parametrize(
    ("rows", "sizes"), [(1, [1]), (64, [64]), (65, [33, 32]), (200, [50, 50, 50, 50])], ids=["1", "64", "65", "200"]
)
def test_a_block_is_cut_into_batches_of_equal_size(tmp_path: Path, rows: int, sizes: list[int]) -> None:
    fit, _ = a_fit(tmp_path, 10**6, {"epochs": 1})
    block: Block = np.zeros((rows, 4), dtype=np.float32), np.zeros(rows)
    assert [len(batch) for batch, _ in fit.batches([block], 64)] == sizes


def test_torch_is_left_as_it_was_also_after_an_error() -> None:
    import torch

    from components.train.network_fit import steady

    def fail() -> None:
        with steady(1, "cpu"):
            assert torch.get_num_threads() == 1
            assert torch.are_deterministic_algorithms_enabled()
            raise KeyError

    threads, seed = torch.get_num_threads(), torch.initial_seed()
    with pytest.raises(KeyError):
        fail()
    assert torch.get_num_threads() == threads
    assert torch.initial_seed() == seed
    assert not torch.are_deterministic_algorithms_enabled()
