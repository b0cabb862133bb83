# SPDX-License-Identifier: Apache-2.0
"""A loaded version under the name that callers use, and what it says of itself in V2's metadata."""

from dataclasses import dataclass
from typing import Any

from kelp.frame.journal import Kept
from kelp.frame.online import Online
from kelp.frame.transform import RawType
from serving.explain import Explanations
from serving.runtime.metrics import ModelMetrics

OFF_LOOP_ROWS = 1000
"""Batches of more rows are scored in a thread, so that health checks and small requests are not kept waiting."""

_V2_TYPES: dict[RawType, str] = {
    "int": "INT64",
    "float": "FP64",
    "bool": "BOOL",
    "string": "BYTES",
    "category": "BYTES",
    "text": "BYTES",
    "timestamp": "BYTES",
}


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What answers for one version."""

    name: str
    version: str
    online: Online
    explanations: Explanations
    metrics: ModelMetrics
    kept: Kept | None = None

    def is_for_a_thread(self, rows: int) -> bool:
        """Whether a request has many rows or would wait for one that has."""
        return rows > OFF_LOOP_ROWS or self.online.is_busy

    def metadata(self) -> dict[str, Any]:
        """V2's metadata of a model, and what its history holds."""
        history = self.online.history
        return {
            "name": self.name,
            "versions": [self.version],
            "platform": "onnx",
            "inputs": self.inputs(),
            "outputs": self.outputs(),
            "history": history.facts() if history is not None else None,
        }

    def inputs(self) -> list[dict[str, Any]]:
        """Describe one tensor per raw column."""
        return [
            {"name": column.name, "datatype": _V2_TYPES[column.type], "shape": [-1]}
            for column in self.online.scorer.transform.columns
        ]

    def outputs(self) -> list[dict[str, Any]]:
        """Describe the outputs of this model's task."""
        transform = self.online.scorer.transform
        outputs: list[dict[str, Any]] = [{"name": "score", "datatype": "FP64", "shape": [-1]}]
        if transform.classes:
            outputs.append({"name": "label", "datatype": "BYTES", "shape": [-1]})
        if transform.is_multiclass:
            outputs.append({"name": "probabilities", "datatype": "FP64", "shape": [-1, len(transform.classes)]})
        return outputs
