# SPDX-License-Identifier: Apache-2.0
"""KServe's ModelServer, bound to one address, with our prediction endpoints in front of its application.

KServe's server listens on every interface and has no option for it. Here the socket is bound before anything is
loaded, so a taken port is an error at once, and uvicorn is handed that socket: KServe's host and port are not used.
gRPC is not served.
"""

import asyncio
import gc
import logging
import signal
import socket
import sys
import time
from functools import partial
from types import FrameType

from kserve.model_server import ModelServer
from kserve.protocol.rest.server import RESTServer
from prometheus_client import REGISTRY

from kelp.errors import EnvironmentFault
from kelp.frame.session import onnx_runtime
from serving.runtime.front import Front
from serving.runtime.hot import HotProtocol
from serving.runtime.load import Verify, load_version, pseudonym_key, signed_with
from serving.runtime.log import PredictionLog
from serving.runtime.metrics import Metrics
from serving.runtime.model import ServedModel
from serving.runtime.options import ModelSource, Options
from serving.runtime.plane import Plane

logger = logging.getLogger(__name__)


class _Rest(RESTServer):  # type: ignore[misc]  # kserve has no types
    """KServe's REST server on a socket that is already bound."""

    def __init__(self, server: ModelServer, bound: socket.socket, options: Options, log: PredictionLog | None) -> None:
        super().__init__(
            "kserve.model_server:app",
            server.dataplane,
            server.model_repository_extension,
            options.port,
            grace_period=options.grace_s,
            event_loop="uvloop",
        )
        self._bound = bound
        self._options = options
        self._log = log

    def _add_middlewares(self, app: object) -> None:
        """KServe's only middleware logs the time of every request; ours are counted instead."""

    async def start(self) -> None:
        """Serve until a signal ends it."""
        from kserve.model_server import app

        self.create_application()
        models = self.dataplane.model_registry.get_models()
        plane = Plane(models, body_limit=self._options.body_limit, log=self._log)
        arm = self._options.arm
        Metrics(REGISTRY, {(model.name, model.version, arm): model.metrics for model in models.values()})
        self.config.app = Front(app, plane)
        self.config.http = partial(HotProtocol, plane)
        await self._server.serve(sockets=[self._bound])


class _Server(ModelServer):  # type: ignore[misc]  # kserve has no types
    """A ModelServer that starts our REST server instead of its own."""

    def run(self, models: list[ServedModel], bound: socket.socket, options: Options) -> None:
        """Serve the models until a signal ends the process; requests that have arrived are answered first."""
        for model in models:
            self.register_model(model)
        log = _prediction_log(options)
        rest = _Rest(self, bound, options, log)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _leave)  # uvicorn's handlers drain, then raise the signal again for this one
        try:
            with asyncio.Runner(loop_factory=rest.config.get_loop_factory()) as runner:
                runner.run(rest.start())
        finally:
            if log is not None:
                log.close(options.log_drain_s)


def serve(options: Options) -> None:
    """Load the models and serve them until a signal ends the process.

    Raises:
        EnvironmentFault: the address cannot be listened on, a key cannot be read, or the one of pseudonyms is needed.
        InputError: the public key is none, or the key of pseudonyms is empty.
        IntegrityError: a version is not what its manifest or signature says; then nothing is served.
        SystemExit: with code 0, after a signal.
    """
    onnx_runtime()  # takes longer to import than a model to load
    with _bind(options.host, options.port) as bound:
        check = signed_with(options.public_key) if options.public_key is not None else None
        key = pseudonym_key(options.pseudonym_key) if options.pseudonym_key is not None else None
        models = [_load(source, check, key) for source in options.models]
        _quieten_libraries()
        gc.collect()
        gc.freeze()  # what is loaded now stays: the collector need not look at it again
        server = _Server(http_port=options.port, enable_grpc=False, enable_latency_logging=False, workers=1)
        served = ", ".join(f"{model.name} {model.version}" for model in models)
        logger.info("serving %s at http://%s:%d", served, options.host, options.port)
        server.run(models, bound, options)


def _prediction_log(options: Options) -> PredictionLog | None:
    if options.log_url is None:
        return None
    log = PredictionLog(options.log_url, most=options.log_queue, arm=options.arm)
    REGISTRY.register(log)
    return log


def _load(source: ModelSource, check: Verify | None, key: bytes | None) -> ServedModel:
    started = time.perf_counter()
    online = load_version(source.folder, check, key)
    return ServedModel(source.name, source.version, online, source.folder, time.perf_counter() - started)


def _bind(host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise EnvironmentFault(
            f"cannot be listened on ({error.strerror})",
            place=f"{host}:{port}",
            fix="choose another --http-port or --host, or stop the process that holds it",
        ) from error
    return bound


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
