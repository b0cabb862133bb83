# SPDX-License-Identifier: Apache-2.0
import numpy as np
from numpy.typing import NDArray

MAX_WIDTH: int
NONE: int
SIGMOID: int
SOFTMAX: int

class Forest:
    def __new__(
        cls,
        thresholds: NDArray[np.float32],
        features: NDArray[np.uint16],
        steps: NDArray[np.uint16],
        roots: NDArray[np.int32],
        depths: NDArray[np.int32],
        targets: NDArray[np.int32],
        base: NDArray[np.float32],
        width: int,
        post: int,
    ) -> Forest: ...
    def score(self, rows: NDArray[np.float32], scores: NDArray[np.float32], /) -> None: ...
