# SPDX-License-Identifier: Apache-2.0
"""A residual network for binary tasks: `trainer: examples.own_trainer.residual:Residual` in a spec."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from kelp.errors import InputError
from kelp.trainer import Rows, Training

DEFAULTS = {"epochs": 5, "width": 32, "depth": 2, "rate": 0.003, "batch": 512}


class Network(nn.Module):
    """Standardise, a linear layer, residual blocks, a probability."""

    def __init__(self, features: int, width: int, depth: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.BatchNorm1d(features), nn.Linear(features, width))
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.last = nn.Linear(width, 1)

    def forward(self, rows: Tensor) -> Tensor:
        """From rows [n, features] to the positive's probability [n]."""
        hidden = self.first(rows)
        for block in self.blocks:
            hidden = hidden + torch.relu(block(hidden))
        return torch.sigmoid(self.last(hidden)).squeeze(1)


class Residual:
    """The two methods that kelp calls, and `space` for a search."""

    def fit(self, training: Training) -> Mapping[str, Any]:
        """Fit by Adam, batch by batch."""
        if training.transform.task != "binary":
            raise InputError("expected binary", place="spec.task")
        if training.early_stopping is not None or training.class_weights:
            raise InputError("expected neither earlyStopping nor classWeights", place="spec.train")
        params = {**DEFAULTS, **training.params}
        for name in params.keys() - DEFAULTS.keys():
            raise InputError(f"expected one of {', '.join(DEFAULTS)}", place=f"spec.train.params.{name}")
        torch.manual_seed(training.seed)
        network = Network(training.transform.width, params["width"], params["depth"]).to(training.device)
        adam = torch.optim.Adam(network.parameters(), lr=params["rate"])
        for _ in range(params["epochs"]):
            for rows, target in _batches(training.rows, params["batch"], training.device):
                if len(rows) > 1:  # a batch of one row has no variance to standardise by
                    adam.zero_grad()
                    torch.autograd.backward(nn.functional.binary_cross_entropy(network(rows), target))
                    adam.step()
        self.network, self.width = network.eval(), training.transform.width
        loss = _loss(network, training.validation, training.device) if training.validation else None
        self.network.cpu()
        return {"params": params, "epochs": params["epochs"], **({} if loss is None else {"validation": loss})}

    def to_onnx(self) -> bytes:
        """Export with a dynamic number of rows."""
        names: dict[str, Any] = {"input_names": ["rows"], "output_names": ["score"]}
        shapes = ({0: torch.export.Dim("n")},)
        program: Any = torch.onnx.export(self.network, (torch.zeros(2, self.width),), dynamic_shapes=shapes, **names)
        return bytes(program.model_proto.SerializeToString())

    def space(self, trial: Any) -> Mapping[str, Any]:
        """What a search tries."""
        return {"width": trial.suggest_int("width", 16, 64), "rate": trial.suggest_float("rate", 1e-3, 1e-2, log=True)}


def _batches(rows: Rows, size: int, device: str) -> Iterator[tuple[Tensor, Tensor]]:
    for matrix, target in rows.batches():
        for places in torch.split(torch.randperm(len(matrix)), size):
            yield torch.from_numpy(matrix)[places].to(device), torch.from_numpy(target)[places].float().to(device)


@torch.no_grad()
def _loss(network: Network, rows: Rows, device: str) -> float:
    parts = ((network(batch), target) for batch, target in _batches(rows, 65_536, device))
    return sum(nn.functional.binary_cross_entropy(*part, reduction="sum").item() for part in parts) / rows.count()
