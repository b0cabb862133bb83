# SPDX-License-Identifier: Apache-2.0
"""Worker: one process's part in a server of several, or all of it in a server of one."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Any, Self

from prometheus_client import REGISTRY

from serving.runtime.control import Action
from serving.runtime.link import Link
from serving.runtime.models import Models
from serving.runtime.samples import Samples, collected
from serving.runtime.threads import loading


class Worker:
    """Carries out what is asked of every worker, here and through the link to the process that started this one."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._link: Link | None = None
        self._in_order = asyncio.Lock()

    @classmethod
    async def start(cls, models: Models, descriptor: int | None, end: Callable[[], None]) -> Self:
        """Join the other workers.

        Args:
            models: of this process.
            descriptor: of the socket that links this process to its starter; None if there are no others.
            end: is called when the starter is gone.
        """
        worker = cls(models)
        if descriptor is None:
            return worker
        link = await Link.over(socket.socket(fileno=descriptor), worker._carry_out)
        worker._link = link
        async with worker._in_order:  # before what is asked from now on
            served = await link.ask({"do": "ready", "versions": models.versions()})
            models.point(served)  # as the others do: what the folder holds now nobody has asked to load
        link.closed.add_done_callback(lambda _: end())
        return worker

    async def everywhere(self, action: Action, name: str) -> None:
        """Load or unload a model in every worker; raises as `Models` does."""
        if self._link is None:
            await self._here(action, name)
        else:
            await self._link.ask({"do": action, "name": name})

    async def samples(self) -> Samples:
        """The numbers of all workers together."""
        if self._link is None:
            return await asyncio.to_thread(collected, REGISTRY)
        return list(await self._link.ask({"do": "samples"}))

    async def _carry_out(self, ask: Mapping[str, Any]) -> Samples | int | None:
        if ask["do"] == "samples":
            return await asyncio.to_thread(collected, REGISTRY)
        async with self._in_order:
            return await self._here(ask["do"], ask["name"])

    async def _here(self, action: Action, name: str) -> int | None:
        """Carry out a command; the version that is served now, if it is one."""
        return await loading(self._models.load if action == "load" else self._models.unload, name)
