# SPDX-License-Identifier: Apache-2.0
"""KServe's V1 protocol: `{"instances": [...]}` in, `{"predictions": [...]}` out."""

from dataclasses import dataclass
from typing import Any

import orjson

from kelp.frame.rows import columns_from_instances, instance_cell
from kelp.frame.transform import Column, Transform
from serving.runtime.answer import Answer, Values
from serving.runtime.body import json_object, required


@dataclass(frozen=True, slots=True)
class V1Request:
    """The value of `instances`, not looked at yet."""

    instances: Any

    @property
    def row_count(self) -> int:
        """Length of `instances`; 0 if it is no list, which `batch` refuses."""
        return len(self.instances) if isinstance(self.instances, list) else 0

    def batch(self, transform: Transform) -> dict[str, Column]:
        """Convert the instances; see `columns_from_instances`."""
        return columns_from_instances(transform, self.instances)

    def cell(self, column: str, row: int) -> str:
        """Name a value in a message."""
        return instance_cell(column, row)

    def raw(self, transform: Transform) -> Values:
        """The declared columns that came."""
        names = [column.name for column in transform.columns]
        if isinstance(self.instances[0], list):
            return {name: [row[place] for row in self.instances] for place, name in enumerate(names)}
        return {name: [row.get(name) for row in self.instances] for name in names}


def parse_v1(body: bytes) -> V1Request:
    """Read a body.

    Raises:
        RequestError: it is not a JSON object with `instances`.
    """
    return V1Request(required(json_object(body), "instances"))


def write_v1(answer: Answer) -> bytes:
    """Write one prediction a row: `score`; for classes `label` too; for several classes also `probabilities`."""
    rows: list[dict[str, Any]] = [{"score": score} for score in answer.scores]
    for row, label in zip(rows, answer.labels, strict=False):  # a regression has no labels
        row["label"] = label
    for row, shares in zip(rows, answer.probabilities, strict=False):
        row["probabilities"] = dict(zip(answer.classes, shares, strict=True))
    return orjson.dumps({"predictions": rows})
