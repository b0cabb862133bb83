# SPDX-License-Identifier: Apache-2.0
"""A bag of embeddings: what the trainer `torch` makes of the tokens of a text.

The order of the tokens is not used. Imports torch, so only functions of `components.train.network` import it.
"""

import torch
from torch import Tensor, nn

TOKEN_DROPOUT = 0.1  # share of the tokens hidden at each step, so that no single word decides


class Bag(nn.Module):
    """Mean and greatest value of the tokens' embeddings, both 0 for a text without tokens.

    After Joulin et al., "Bag of Tricks for Efficient Text Classification" (2016), and its maximum as in Shen et al.,
    "Baseline Needs More Love" (2018).
    """

    positions: Tensor

    def __init__(self, tokens: tuple[int, ...], numbers: int, size: int) -> None:
        """`tokens` are positions in the matrix, `numbers` how many different tokens there are, of `size` numbers."""
        super().__init__()
        self.width = 2 * size
        self.register_buffer("positions", torch.tensor(tokens))
        self.most = numbers - 1
        self.embedding = nn.Embedding(numbers, size, padding_idx=0)
        nn.init.normal_(self.embedding.weight, std=0.1)  # a token that is never trained says little

    def forward(self, rows: Tensor) -> Tensor:
        """From float32 [n, width] to [n, 2 size]."""
        numbers = rows.index_select(1, self.positions).clamp(0, self.most).long()
        is_there = numbers != 0
        if self.training:
            is_there = is_there & (torch.rand(numbers.shape, device=rows.device) >= TOKEN_DROPOUT)
        is_there = is_there.unsqueeze(2)
        vectors = self.embedding(numbers)
        mean = (vectors * is_there).sum(1) / is_there.sum(1).clamp(min=1)
        greatest = vectors.masked_fill(~is_there, -1e9).amax(1)
        return torch.cat([mean, torch.where(is_there.any(1), greatest, 0.0)], 1)
