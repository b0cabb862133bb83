# SPDX-License-Identifier: Apache-2.0
"""The kserve.Model of one version: KServe lists it and asks for its readiness and its metadata."""

import asyncio
from pathlib import Path
from typing import Any

from kserve.model import Model

from kelp.frame.online import Online
from kelp.frame.transform import RawType
from serving.explain import Explanations
from serving.runtime.answer import Answer, Request, answer
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


class ServedModel(Model):  # type: ignore[misc]  # kserve has no types
    """A loaded version under the name callers use.

    Predictions do not come through KServe (see `serving.runtime.front`): `predict` is called with requests that are
    already parsed, and its answer is written in the protocol they came in.
    """

    def __init__(self, name: str, version: int, online: Online, folder: Path, load_s: float = 0.0) -> None:
        super().__init__(name)
        self.version = str(version)
        self.online = online
        self.explanations = Explanations(online, folder)
        self.metrics = ModelMetrics(has_classes=bool(online.scorer.transform.classes), load_s=load_s)
        self.ready = True

    async def predict(self, payload: Request, headers: dict[str, str] | None = None) -> Answer:
        """Score a request, in a thread if it has many rows or would wait for one that has.

        Raises:
            RequestError: the request does not fit the model.
        """
        if self.is_for_a_thread(payload):
            return await asyncio.to_thread(answer, self.online, payload)
        return answer(self.online, payload)

    def is_for_a_thread(self, request: Request) -> bool:
        """Whether a request has many rows or would wait for one that has."""
        return request.row_count > OFF_LOOP_ROWS or self.online.is_busy

    def metadata(self) -> dict[str, Any]:
        """V2's metadata of a model, and what its history holds: KServe's answer has no place for that."""
        history = self.online.history
        return {
            "name": self.name,
            "versions": [self.version],
            "platform": "",
            "inputs": self.get_input_types(),
            "outputs": self.get_output_types(),
            "history": history.facts() if history is not None else None,
        }

    def get_input_types(self) -> list[dict[str, Any]]:
        """Describe one tensor per raw column, for V2's metadata."""
        return [
            {"name": column.name, "datatype": _V2_TYPES[column.type], "shape": [-1]}
            for column in self.online.scorer.transform.columns
        ]

    def get_output_types(self) -> list[dict[str, Any]]:
        """Describe the outputs of this model's task, for V2's metadata."""
        classes = len(self.online.scorer.transform.classes)
        outputs: list[dict[str, Any]] = [{"name": "score", "datatype": "FP64", "shape": [-1]}]
        if classes:
            outputs.append({"name": "label", "datatype": "BYTES", "shape": [-1]})
        if self.online.scorer.transform.is_multiclass:
            outputs.append({"name": "probabilities", "datatype": "FP64", "shape": [-1, classes]})
        return outputs
