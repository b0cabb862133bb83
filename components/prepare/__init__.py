# SPDX-License-Identifier: Apache-2.0
"""prepare: from a snapshot to a training and a test matrix, and the transform that made them.

What looks at one row is `kelp.frame`, the code that the model server runs on a request, streamed batch by batch; what
needs many rows at once is Ibis, on DuckDB or Spark (docs/adr/0006). Everything fitted is fitted on the training part.
"""

from components.prepare.step import prepare

__all__ = ["prepare"]
