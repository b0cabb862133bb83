# SPDX-License-Identifier: Apache-2.0
"""What the data plane is asked, and what became of it."""

from typing import Any, NamedTuple

from serving.runtime.endpoint import Endpoint
from serving.runtime.model import ServedModel


class Ask(NamedTuple):
    """A request for a prediction: what `endpoint.read` makes it of, and how many bytes that takes.

    `started` is when its header was complete, of `time.perf_counter`.
    """

    endpoint: Endpoint
    source: tuple[Any, ...]
    size: int
    id: str
    started: float


class Outcome(NamedTuple):
    """What became of it: `written` by its endpoint, or the error; the model is None if it was not found."""

    model: ServedModel | None
    written: Any = None
    error: Exception | None = None
