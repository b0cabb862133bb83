# SPDX-License-Identifier: Apache-2.0
"""What is asked about models and of them, predictions apart: readiness, metadata, index, load, unload; and metrics.

    GET  /v1/models/NAME   /v2/models/NAME/ready       whether a request now would be answered
    GET  /v2/models/NAME   /v2/models/NAME/versions/V  metadata
    GET  /v2/repository/index                          every model, its state and the reason of that
    POST /v2/repository/index                          the same, as V2 has it: {"ready": true} asks for those alone
    POST /v2/repository/models/NAME/{load,unload}
    GET  /metrics

To be asked about, a model that is not in memory is loaded: that is what a request would do, and only that tells.
Load and unload are for every worker: `everywhere` carries them to the others.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Literal

from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from serving.runtime.body import json_object
from serving.runtime.endpoint import no_endpoint
from serving.runtime.plane import Plane
from serving.runtime.reply import Reply, json_reply
from serving.runtime.samples import Samples, registry_of

Action = Literal["load", "unload"]
Everywhere = Callable[[Action, str], Awaitable[None]]
"""Lets every worker load or unload a model by name; raises KelpError if they cannot."""

_MODEL = re.compile(r"/v([12])/models/([^/:?%]+)(?:/versions/([^/:?%]+))?(/ready)?")
_MODELS = ("/v1/models/", "/v2/models/")
_INDEX = "/v2/repository/index"
_COMMAND = re.compile(r"/v2/repository/models/([^/:?%]+)/(load|unload)")


class Control:
    """Answers for one process, and for its siblings through `everywhere` and `samples`."""

    def __init__(
        self,
        plane: Plane,
        everywhere: Everywhere,
        samples: Callable[[], Awaitable[Samples]],
    ) -> None:
        """Answer by these.

        Args:
            plane: lends the models.
            everywhere: carries load and unload out.
            samples: the numbers of all workers together.
        """
        self._plane = plane
        self._everywhere = everywhere
        self._samples = samples

    async def get(self, path: str, accept: str) -> Reply | None:
        """Answer a GET; None if the path is not one of these.

        Raises:
            NotFound: no such model is served, or not in this version; or nothing of models is at the path.
            NotReady: it cannot answer.
        """
        if path == "/metrics":
            return await self._metrics(accept)
        if path == _INDEX:
            return await self._index(only_ready=False)
        match = _MODEL.fullmatch(path)
        if match is None:
            if path.startswith(_MODELS):  # KServe has 501 for a version
                raise no_endpoint("GET", path)
            return None
        protocol, name, version, is_ready = match.groups()
        lease = await self._plane.lent(name, version)
        try:
            if protocol == "1" or is_ready:
                return json_reply(200, {"name": name, "ready": True})
            return json_reply(200, lease.loaded.metadata())
        finally:
            self._plane.models.give_back(lease)

    async def post(self, path: str, body: bytes) -> Reply | None:
        """Load or unload a model, or say what there is; None if the path asks for none of these.

        Raises:
            RequestError: the index is asked for by something else than JSON.
            NotFound: there is no such model, or none that is served.
            NotReady: the version is refused.
        """
        if path == _INDEX:
            return await self._index(only_ready=bool(body) and json_object(body).get("ready") is True)
        match = _COMMAND.fullmatch(path)
        if match is None:
            return None
        name = match[1]
        action: Action = "load" if match[2] == "load" else "unload"
        await self._everywhere(action, name)
        return json_reply(200, {"name": name, action: True})

    async def _index(self, *, only_ready: bool) -> Reply:
        found = await asyncio.to_thread(self._plane.models.index)
        return json_reply(200, [entry for entry in found if entry["state"] == "READY" or not only_ready])

    async def _metrics(self, accept: str) -> Reply:
        encode, media_type = _encoder(accept)
        samples = await self._samples()
        return Reply(200, await asyncio.to_thread(encode, registry_of(samples)), media_type=media_type)


def _encoder(accept: str) -> tuple[Callable[[Collector], bytes], str]:
    """The format of metrics that a caller takes; the text format if what it says has no meaning."""
    try:
        return choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is no number
        return choose_encoder("")
