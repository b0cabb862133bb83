# SPDX-License-Identifier: Apache-2.0
"""The fit of the trainer `torch`, in a state of torch that gives equal bytes for equal trainings.

Torch computes on one thread: with more, sums are split by their number, so that a machine with other cores would
give another model. What is left are the kind of CPU and the versions of the libraries.
Imports torch, so only functions of `components.train.network` import it.
"""

import copy
import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from components.train.network_layers import Layers
from components.train.network_rows import Block, Source, ahead
from components.train.network_settings import Settings
from kelp.errors import InputError
from kelp.trainer import Training

_SCORED_ROWS = 8192


@dataclass(frozen=True, slots=True)
class Epoch:
    """Losses of one pass: of the training rows while the weights moved, and afterwards of those kept back."""

    number: int
    training: float
    validation: float | None


@contextmanager
def steady(seed: int, device: str) -> Iterator[None]:
    """Torch deterministic, seeded, in float32 and on one thread; afterwards as it was."""
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    is_strict = torch.are_deterministic_algorithms_enabled()
    is_lenient = torch.is_deterministic_algorithms_warn_only_enabled()
    workspace = os.environ.get("CUBLAS_WORKSPACE_CONFIG")
    if device == "cuda":
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # without it cuBLAS is not deterministic
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if device == "cuda" else []):
            torch.manual_seed(seed)
            torch.set_num_threads(1)
            torch.set_default_dtype(torch.float32)
            torch.use_deterministic_algorithms(True)
            yield
    finally:
        torch.use_deterministic_algorithms(is_strict, warn_only=is_lenient)
        torch.set_default_dtype(dtype)
        torch.set_num_threads(threads)
        if device == "cuda":
            os.environ.pop("CUBLAS_WORKSPACE_CONFIG")
            os.environ.update({} if workspace is None else {"CUBLAS_WORKSPACE_CONFIG": workspace})


class Fit:
    """A network on its way."""

    def __init__(self, network: Layers, settings: Settings, training: Training) -> None:
        self.network = network.to(training.device)
        self._settings = settings
        self._training = training
        weights = training.class_weights
        self._weights = torch.tensor(weights, dtype=torch.float32, device=training.device) if weights else None
        self._optimizer = torch.optim.AdamW(
            network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )

    def run(
        self, source: Source, kept_back: Source | None, progress: Callable[[int, int], None]
    ) -> tuple[list[Epoch], Epoch]:
        """Fit until the last epoch or until the rows kept back get no better; keep the best weights.

        Args:
            source: rows to learn from.
            kept_back: rows that say which weights are best; None: the last.
            progress: called after every epoch with the epochs done and the epochs in all.

        Returns:
            All epochs, and the one whose weights are kept.

        Raises:
            InputError: the loss is no number any more.
        """
        rng = np.random.default_rng(self._training.seed)
        patience = self._training.early_stopping or self._settings.epochs
        epochs: list[Epoch] = []
        best, weights = Epoch(0, math.inf, math.inf), {}
        for number in range(1, self._settings.epochs + 1):
            self._set_rate(number)
            learned = self.epoch(source, rng)
            epoch = Epoch(number, learned, self.loss(kept_back.in_order()) if kept_back else None)
            self._refuse_divergence(epoch)
            epochs.append(epoch)
            progress(number, self._settings.epochs)
            if epoch.validation is None or best.validation is None or epoch.validation < best.validation:
                best = epoch
                weights = copy.deepcopy(self.network.state_dict()) if kept_back else {}
            if number - best.number >= patience:
                break
        if weights:
            self.network.load_state_dict(weights)
        return epochs, best

    def epoch(self, source: Source, rng: np.random.Generator) -> float:
        """Learn from every row once, in an order that `rng` decides; return the mean loss."""
        return self.steps(self.batches(ahead(source.shuffled(rng)), self._settings.batch_size))

    def steps(self, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
        """Take one step a batch; return the mean loss."""
        self.network.train()
        total, count = torch.zeros((), dtype=torch.float64, device=self._training.device), 0
        for rows, target in batches:
            loss = self._losses(rows, target).mean()
            self._optimizer.zero_grad()
            torch.autograd.backward([loss])
            self._optimizer.step()
            total += loss.detach() * len(rows)
            count += len(rows)
        return float(total) / count

    def loss(self, blocks: Iterable[Block]) -> float:
        """The mean loss of the network as it stands: log loss, or the squared error of the standardised value."""
        self.network.eval()
        total, count = 0.0, 0
        with torch.no_grad():
            for rows, target in self.batches(blocks, _SCORED_ROWS):
                total += float(self._losses(rows, target).sum(dtype=torch.float64))
                count += len(rows)
        return total / count

    def _losses(self, rows: Tensor, target: Tensor) -> Tensor:
        raw, task = self.network.raw(rows), self.network.layout.task
        if self.network.layout.is_value:
            return (raw - target).square()
        if task == "binary":
            weight = None if self._weights is None else self._weights[target.long()]
            return functional.binary_cross_entropy_with_logits(raw, target, weight, reduction="none")
        return functional.cross_entropy(raw, target, self._weights, reduction="none")

    def batches(self, blocks: Iterable[Block], size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of equal size within a block, so that no step rests on a few left over."""
        layout = self.network.layout
        for matrix, target in blocks:
            if layout.is_value:
                target = (target - layout.target_mean) / layout.target_deviation
            kind = torch.int64 if layout.outputs > 1 else torch.float32
            rows = torch.from_numpy(matrix).to(self._training.device)
            wanted = torch.from_numpy(target).to(kind).to(self._training.device)
            parts = math.ceil(len(matrix) / size)
            yield from zip(rows.tensor_split(parts), wanted.tensor_split(parts), strict=True)

    def _set_rate(self, number: int) -> None:
        """The learning rate falls along a cosine: Loshchilov and Hutter, "SGDR" (2017), without restarts."""
        turned = (1 + math.cos(math.pi * (number - 1) / self._settings.epochs)) / 2
        for group in self._optimizer.param_groups:
            group["lr"] = self._settings.learning_rate * turned

    def _refuse_divergence(self, epoch: Epoch) -> None:
        wrong = next((loss for loss in (epoch.training, epoch.validation or 0.0) if not math.isfinite(loss)), None)
        if wrong is not None:
            rate = self._settings.learning_rate
            raise InputError(
                f"expected a finite loss, found {wrong:g} in epoch {epoch.number} with learning_rate {rate:g}",
                place="spec.train.params.learning_rate",
                fix=f"lower it, for instance to {min(rate / 10, 0.01):g}",
            )
