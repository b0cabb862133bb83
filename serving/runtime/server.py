# SPDX-License-Identifier: Apache-2.0
"""KServe's REST application behind ours, and its gRPC service, on one event loop and bound to one address.

KServe's server listens on every interface and has no option for it. Here the socket is bound before anything is
loaded, so a taken port is an error at once, and uvicorn is handed that socket: KServe's host and port are not used.
"""

import asyncio
import gc
import logging
import signal
import socket
import sys
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any

from kserve.model_repository import ModelRepository
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.model_repository_extension import ModelRepositoryExtension
from kserve.protocol.rest.server import RESTServer, _RefreshingServer
from prometheus_client import REGISTRY

from kelp.frame.session import onnx_runtime
from kelp.memory import memory_limit
from serving.catalogue import Catalogue
from serving.runtime.audit import LoadAudit
from serving.runtime.control import Control
from serving.runtime.front import Front
from serving.runtime.grpc_server import start_grpc
from serving.runtime.hot import HotProtocol
from serving.runtime.listen import is_loopback, listening
from serving.runtime.load import pseudonym_key, signature_check
from serving.runtime.loader import Loader
from serving.runtime.log import PredictionLog
from serving.runtime.metrics import Metrics
from serving.runtime.models import Models
from serving.runtime.options import Options
from serving.runtime.plane import Plane
from serving.runtime.worker import Worker

_AUDIT_S = 5.0
_TICKS = 50  # of uvicorn's main loop, a tenth of a second each
_BACKLOG_S = 0.05  # for connections that the kernel has accepted and we have not

logger = logging.getLogger(__name__)


def serve(options: Options) -> None:
    """Load the models and serve them until a signal ends the process.

    Raises:
        EnvironmentFault: the address cannot be listened on, a key cannot be read, or the one of pseudonyms is needed.
        InputError: the public key is none, or the key of pseudonyms is empty.
        NotReady: a model that was named on the command line is refused; then nothing is served.
        SystemExit: with code 0, after a signal.
    """
    with listening(options) as bound:
        onnx_runtime()  # takes longer to import than a model to load
        metrics = Metrics(options.arm)
        REGISTRY.register(metrics)
        loader = _loader(options, metrics)
        try:
            models = _models(options, loader)
            _quieten_libraries()
            gc.collect()
            gc.freeze()  # what is loaded now stays: the collector need not look at it again
            _run(options, bound, models, metrics)
        finally:
            loader.end()
            loader.audit.close(_AUDIT_S)


def _loader(options: Options, metrics: Metrics) -> Loader:
    check = signature_check(options.verify, options.public_key)
    key = pseudonym_key(options.pseudonym_key) if options.pseudonym_key is not None else None
    audit, is_one_of_many = LoadAudit(options.home), options.link_fd is not None
    return Loader(check, key, metrics, audit, options.state, is_one_of_many=is_one_of_many)


def _models(options: Options, loader: Loader) -> Models:
    """Every model there is; those that were named are loaded."""
    budget = options.memory_bytes if options.memory_bytes is not None else memory_limit() // 2
    budget //= options.workers
    models = Models(Catalogue(options.models, options.repository), budget, loader.load, loader.close)
    for source in options.models:
        models.load(source.name)
    return models


def _run(options: Options, bound: socket.socket, models: Models, metrics: Metrics) -> None:
    log = _prediction_log(options)
    plane = Plane(models, metrics, body_limit=options.body_limit, log=log)
    rest = _Rest(plane, bound, options)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)  # uvicorn's own handlers drain, then raise the signal again for this one
    logger.info("serving %s", _said(options, models.names()))
    try:
        with asyncio.Runner(loop_factory=rest.config.get_loop_factory()) as runner:
            runner.run(rest.start())
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # asked again to end, it still sends its log
        if log is not None:
            log.close(options.log_drain_s)
        models.close()


def _said(options: Options, names: list[str]) -> str:
    """What is served, and where."""
    served = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    scheme = "https" if options.tls is not None else "http"
    grpc = f", gRPC at {options.host}:{options.grpc_port}" if options.grpc_port is not None else ""
    return f"{served or 'no model yet'} at {scheme}://{options.host}:{options.port}{grpc}"


class _Listed(ModelRepository):  # type: ignore[misc]  # kserve has no types
    """What KServe's application sees of the models: their names, for its lists."""

    def __init__(self, models: Models) -> None:
        super().__init__()
        self._models = models

    def get_models(self) -> dict[str, Any]:
        """Every model's name."""
        return dict.fromkeys(self._models.names())


class _Uvicorn(_RefreshingServer):  # type: ignore[misc]  # kserve has no types
    """KServe's uvicorn; at the end gRPC drains beside it."""

    grpc: Any = None

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what has arrived, then close."""
        await asyncio.sleep(_BACKLOG_S)
        await self._stop_listening(sockets or [])
        grpc = self.grpc.stop(self.config.timeout_graceful_shutdown) if self.grpc is not None else asyncio.sleep(0)
        await asyncio.gather(super().shutdown(sockets), grpc)

    async def _stop_listening(self, sockets: list[socket.socket]) -> None:
        """Take what the kernel has accepted, then no more: when the last socket closes, the rest would be reset."""
        spares = [bound.dup() for bound in sockets]
        for server in self.servers:
            server.close()
        await asyncio.sleep(0)  # what was taken until now becomes a connection, which `shutdown` ends
        for spare in spares:
            with spare, suppress(OSError):
                spare.setblocking(False)
                while True:
                    taken, _ = spare.accept()
                    await asyncio.get_running_loop().connect_accepted_socket(self._protocol, taken, ssl=self.config.ssl)

    def _protocol(self) -> Any:
        config = self.config
        return config.http_protocol_class(config=config, server_state=self.server_state, app_state=self.lifespan.state)

    async def on_tick(self, counter: int) -> bool:
        """Every few seconds end the connections that do not get on with what they send."""
        if counter % _TICKS == 0:
            for connection in list(self.server_state.connections):
                if isinstance(connection, HotProtocol):
                    connection.end_if_stalled()
        return bool(await super().on_tick(counter))


class _Rest(RESTServer):  # type: ignore[misc]  # kserve has no types
    """KServe's REST server on a socket that is already bound, with gRPC beside it."""

    def __init__(self, plane: Plane, bound: socket.socket, options: Options) -> None:
        repository = _Listed(plane.models)
        super().__init__(
            "kserve.model_server:app",
            DataPlane(repository),
            ModelRepositoryExtension(repository),
            options.port,
            grace_period=options.grace_s,
            event_loop="uvloop",
            ssl_certfile=str(options.tls.certificate) if options.tls is not None else None,
            ssl_keyfile=str(options.tls.key) if options.tls is not None else None,
        )
        self._server = _Uvicorn(self.config)
        self._plane = plane
        self._bound = bound
        self._options = options

    def _add_middlewares(self, app: object) -> None:
        """KServe's only middleware logs the time of every request; ours are counted instead."""

    async def start(self) -> None:
        """Serve until a signal ends it."""
        from kserve.model_server import app

        self.create_application()
        worker = await Worker.start(self._plane.models, self._options.link_fd, self._end)
        control = Control(self._plane, worker.everywhere, worker.samples)
        self.config.app = Front(app, self._plane, control, is_local=is_loopback(self._options.host))
        self.config.http = partial(HotProtocol, self._plane)
        if self._options.grpc_port is not None:
            self._server.grpc = await start_grpc(self._plane, worker.everywhere, self._options)
        await self._server.serve(sockets=[self._bound])

    def _end(self) -> None:
        self._server.should_exit = True


def _prediction_log(options: Options) -> PredictionLog | None:
    if options.log_url is None:
        return None
    log = PredictionLog(options.log_url, most=options.log_queue, arm=options.arm)
    REGISTRY.register(log)
    return log


def _quieten_libraries() -> None:
    """Send what KServe and uvicorn have to say where our own lines go, and no line per request.

    KServe logs a traceback for every answer that is not 200, also for a 404; what fails is logged by `Front`.
    """
    ours = logging.getLogger("serving").handlers
    for name, level in (("kserve", logging.CRITICAL), ("uvicorn", logging.WARNING)):
        library = logging.getLogger(name)
        library.handlers = list(ours)
        library.setLevel(level)
        library.propagate = False
    access = logging.getLogger("uvicorn.access")
    access.handlers = []
    access.propagate = False


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(0)
