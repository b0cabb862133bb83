# SPDX-License-Identifier: Apache-2.0
"""evaluate: what the trained model is worth on held-out rows, with intervals; gates decided on bounds; the report.

`evaluate` is the step. `curves`, `confusion`, `markdown` and `scalars` turn its document into what Kubeflow Pipelines
shows. Nothing here imports kfp.
"""

from components.evaluate.outputs import confusion, curves, markdown, scalars
from components.evaluate.step import Evaluation, evaluate

__all__ = ["Evaluation", "confusion", "curves", "evaluate", "markdown", "scalars"]
