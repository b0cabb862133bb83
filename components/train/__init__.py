# SPDX-License-Identifier: Apache-2.0
"""train: fit the model on the prepared training part, reproducibly: equal inputs and seed give equal bytes."""

from components.train.step import train

__all__ = ["train"]
