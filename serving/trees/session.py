# SPDX-License-Identifier: Apache-2.0
"""TreeSession answers from a Forest as onnxruntime.InferenceSession does from the model.onnx it was read from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from kelp.frame.transform import Matrix
from serving.trees.ensemble import Ensemble
from serving.trees.graph import Floats


class Session(Protocol):
    """What `Scorer` asks of its session; onnxruntime.InferenceSession is one."""

    def run(self, outputs: Sequence[str], feeds: Mapping[str, Matrix], /) -> Any:
        """The outputs named `outputs`, of the inputs in `feeds`."""


class Forest(Protocol):
    """Trees that score; `_kernel.Forest` is one."""

    def score(self, rows: Floats, scores: Floats, /) -> None:
        """Write the scores of rows (n, width) to `scores` (n, targets); both float32, the rows with any strides."""


MakeForest = Callable[[Ensemble], Forest]


@dataclass(frozen=True, slots=True)
class TreeSession:
    """An ensemble and the forest that was made of it."""

    ensemble: Ensemble
    forest: Forest

    def run(self, outputs: Sequence[str], feeds: Mapping[str, Matrix], /) -> list[Floats]:
        """Score the float32 matrix `rows`, of shape (n, width) and any strides, which holds no NaN.

        Raises:
            ValueError: it has another type or shape, or something else is asked for.
        """
        if list(outputs) != ["score"] or list(feeds) != ["rows"]:
            raise ValueError(f"expected score of rows, found {list(outputs)} of {list(feeds)}")
        rows = feeds["rows"]
        scores = np.empty((len(rows), len(self.ensemble.base)), dtype=np.float32)
        self.forest.score(rows, scores)
        return [scores.reshape(-1) if self.ensemble.is_flat else scores]


@dataclass(frozen=True, slots=True)
class BySize:
    """A session that leaves the rows to one of several; each takes up to so many, the last one any number."""

    parts: tuple[tuple[int, Session], ...]

    def run(self, outputs: Sequence[str], feeds: Mapping[str, Matrix], /) -> Any:
        """As `TreeSession.run`, or as the session does it that is chosen."""
        count = len(feeds["rows"])
        session = next((session for most, session in self.parts if count <= most), self.parts[-1][1])
        return session.run(outputs, feeds)


def compiled() -> MakeForest | None:
    """The kernel, or None where kelp was installed without a C compiler."""
    try:
        from serving.trees import _kernel
    except ImportError:
        return None

    posts = {"none": _kernel.NONE, "sigmoid": _kernel.SIGMOID, "softmax": _kernel.SOFTMAX}

    def made(trees: Ensemble) -> Forest:
        nodes = (trees.thresholds, trees.features, trees.steps)
        each = (trees.roots, trees.depths, trees.targets)
        return _kernel.Forest(*nodes, *each, trees.base, trees.width, posts[trees.post])

    return made
