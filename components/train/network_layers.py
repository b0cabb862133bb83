# SPDX-License-Identifier: Apache-2.0
"""The network of the trainer `torch`: from the raw matrix to the score, everything between inside.

Imports torch, so only functions of `components.train.network` import it.
"""

import numpy as np
import torch
from torch import Tensor, nn

from components.train.network_layout import Layout, Numbers, embedding_size
from components.train.network_settings import Settings
from components.train.text import Bag

_FURTHEST = 10.0  # standard deviations; a value beyond counts as this far


class Standard(nn.Module):
    """Standardised numbers, or their logarithms."""

    positions: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, numbers: Numbers, *, is_log: bool) -> None:
        super().__init__()
        self.width = len(numbers.positions)
        self.is_log = is_log
        self.register_buffer("positions", torch.tensor(numbers.positions))
        self.register_buffer("mean", torch.tensor(numbers.mean.astype(np.float32)))
        self.register_buffer("deviation", torch.tensor(numbers.deviation.astype(np.float32)))

    def forward(self, rows: Tensor) -> Tensor:
        """From float32 [n, width of the matrix] to [n, numbers]."""
        chosen = rows.index_select(1, self.positions)
        if self.is_log:
            chosen = chosen.sign() * chosen.abs().log1p()
        return ((chosen - self.mean) / self.deviation).clamp(-_FURTHEST, _FURTHEST)


class Codes(nn.Module):
    """Embeddings of equal size in one table, so that any number of columns is one look-up."""

    positions: Tensor
    most: Tensor
    offsets: Tensor

    def __init__(self, codes: list[tuple[int, int]], size: int) -> None:
        super().__init__()
        self.width = len(codes) * size
        counts = torch.tensor([count for _, count in codes])
        self.register_buffer("positions", torch.tensor([position for position, _ in codes]))
        self.register_buffer("most", (counts - 1).float())
        self.register_buffer("offsets", counts.cumsum(0) - counts)
        self.embedding = nn.Embedding(int(counts.sum()), size)
        nn.init.normal_(self.embedding.weight, std=0.1)  # a code that is never trained says little

    def forward(self, rows: Tensor) -> Tensor:
        """From float32 [n, width of the matrix] to [n, columns * size]."""
        found = rows.index_select(1, self.positions).clamp(min=0).minimum(self.most).long()
        vectors: Tensor = self.embedding(found + self.offsets)
        return vectors.flatten(1)


class Layers(nn.Module):
    """Inputs side by side, then layers of ReLU with dropout, then the outputs."""

    def __init__(self, layout: Layout, settings: Settings) -> None:
        super().__init__()
        self.layout = layout
        inputs = [*_inputs(layout, settings)]
        self.inputs = nn.ModuleList(inputs)
        layers: list[nn.Module] = []
        width = sum(part.width for part in inputs)
        for units in settings.hidden:
            layers += [nn.Linear(width, units), nn.ReLU(), nn.Dropout(settings.dropout)]
            width = units
        self.layers = nn.Sequential(*layers, nn.Linear(width, layout.outputs))

    def raw(self, rows: Tensor) -> Tensor:
        """From float32 [n, width] to the logits [n] or [n, classes], or the standardised value [n]."""
        found: Tensor = self.layers(torch.cat([part(rows) for part in self.inputs], 1))
        return found if self.layout.task in ("multiclass", "text") else found.squeeze(1)

    def forward(self, rows: Tensor) -> Tensor:
        """From float32 [n, width] to the score that `kelp.trainer.Trainer.to_onnx` promises."""
        raw = self.raw(rows)
        if self.layout.is_value:
            return raw * self.layout.target_deviation + self.layout.target_mean
        return torch.sigmoid(raw) if self.layout.task == "binary" else torch.softmax(raw, 1)


def _inputs(layout: Layout, settings: Settings) -> list[Standard | Codes | Bag]:
    by_size: dict[int, list[tuple[int, int]]] = {}
    for position, count in layout.codes:
        by_size.setdefault(embedding_size(count, settings.embedding), []).append((position, count))
    return [
        *([Standard(layout.values, is_log=False)] if layout.values.positions else []),
        *([Standard(layout.logarithms, is_log=True)] if layout.logarithms.positions else []),
        *(Codes(codes, size) for size, codes in sorted(by_size.items())),
        *([Bag(layout.tokens, layout.token_numbers, settings.embedding)] if layout.tokens else []),
    ]
