# SPDX-License-Identifier: Apache-2.0
"""What `serving.repository` gives: a loaded version on loan, and what it says of a model."""

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from serving.source import Source

Loaded = TypeVar("Loaded")
Status = Literal["cold", "loading", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class Lease(Generic[Loaded]):
    """A loaded version that is not unloaded until the lease is given back."""

    source: Source
    loaded: Loaded

    @property
    def version(self) -> int:
        """The version's number."""
        return self.source.version


@dataclass(frozen=True, slots=True)
class State:
    """Of one name: `wanted` is the version it points at, `resident` the one in memory, if any.

    status      what a request gets now
    cold        it waits for a load
    loading     likewise, and the load has begun; or the version before it answers
    ready       the wanted version answers
    failed      `reason` says why the wanted version cannot be loaded; the one before it answers if there is one
    """

    status: Status
    wanted: int
    resident: int | None
    reason: str = ""
