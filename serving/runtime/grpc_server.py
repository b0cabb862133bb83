# SPDX-License-Identifier: Apache-2.0
"""KServe's gRPC service, answered from the same data plane as HTTP, on the same event loop.

KServe's own servicer answers INTERNAL to wrong shapes, UNKNOWN to what is no message, fails on load and unload, and
knows no version; the messages and the service are KServe's (`inference.GRPCInferenceService`).
"""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from importlib.metadata import version
from typing import Any, Never

import grpc
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from grpc import StatusCode
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc

from kelp.errors import EnvironmentFault, KelpError, RequestError
from serving.runtime.ask import Ask
from serving.runtime.control import Action, Everywhere
from serving.runtime.grpc_messages import grpc_endpoint
from serving.runtime.options import Options, Tls
from serving.runtime.plane import Plane, log_refusal, status_of
from serving.runtime.reply import FAILED

_CODES = {
    400: StatusCode.INVALID_ARGUMENT,
    404: StatusCode.NOT_FOUND,
    413: StatusCode.RESOURCE_EXHAUSTED,
    503: StatusCode.UNAVAILABLE,
}
_LONGEST_TEXT = 500  # characters: what travels in a trailer of 8 KiB, percent-encoded


class _Servicer(grpc_predict_v2_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]  # kserve has no types
    """The methods of the service, each with the error's status and the request's id on failure."""

    def __init__(self, plane: Plane, everywhere: Everywhere) -> None:
        self._plane = plane
        self._everywhere = everywhere

    async def ServerLive(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Whether the process answers."""
        return pb.ServerLiveResponse(live=True)

    async def ServerReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Whether requests are answered: the models that the server was started with are in memory."""
        return pb.ServerReadyResponse(ready=True)

    async def ServerMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Say what this is, as KServe does over HTTP."""
        extensions = ["model_repository_extension"]
        return pb.ServerMetadataResponse(name="kserve", version=version("kserve"), extensions=extensions)

    async def ModelReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Whether a request for the model would be answered now."""
        await self._model(request, context)
        return pb.ModelReadyResponse(ready=True)

    async def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Describe a model's tensors."""
        facts = await self._model(request, context)
        facts.pop("history")
        return pb.ModelMetadataResponse(**facts)

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Predict."""
        started = time.perf_counter()
        ask = Ask(grpc_endpoint(request), (request,), request.ByteSize(), self._id(context), started)
        outcome = self._plane.predict_now(ask) or await self._plane.predict(ask)
        if outcome.error is not None:
            await _abort(context, outcome.error, ask.id)
        model_version = outcome.model.version if outcome.model is not None else ""
        context.set_trailing_metadata((("x-request-id", ask.id), ("x-model-version", model_version)))
        return outcome.written

    async def RepositoryModelLoad(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Load a model, in every worker."""
        await self._command(context, "load", request.model_name)
        return pb.RepositoryModelLoadResponse(model_name=request.model_name, isLoaded=True)

    async def RepositoryModelUnload(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Serve a model no more, in any worker."""
        await self._command(context, "unload", request.model_name)
        return pb.RepositoryModelUnloadResponse(model_name=request.model_name, isUnloaded=True)

    def methods(self) -> Any:
        """All of the above as gRPC calls them, with the bytes of a request or an answer."""
        service = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"]
        handlers = {
            method.name: grpc.unary_unary_rpc_method_handler(
                partial(self._called, getattr(self, method.name)),
                request_deserializer=partial(_read, GetMessageClass(method.input_type)),
                response_serializer=GetMessageClass(method.output_type).SerializeToString,
            )
            for method in service.methods
        }
        return grpc.method_handlers_generic_handler(service.full_name, handlers)

    async def _called(self, method: Callable[[Any, Any], Awaitable[Any]], request: Any, context: Any) -> Any:
        if request is None:
            await self._refuse(context, RequestError("expected a message of the method's type", place="body"))
        return await method(request, context)

    async def _model(self, request: Any, context: Any) -> dict[str, Any]:
        try:
            lease = await self._plane.lent(request.name, request.version or None)
        except Exception as error:
            await self._refuse(context, error)
        try:
            return lease.loaded.metadata()
        finally:
            self._plane.models.give_back(lease)

    async def _command(self, context: Any, action: Action, name: str) -> None:
        try:
            await self._everywhere(action, name)
        except Exception as error:
            await self._refuse(context, error)

    async def _refuse(self, context: Any, error: Exception) -> Never:
        identity = self._id(context)
        log_refusal(error, identity)
        await _abort(context, error, identity)

    def _id(self, context: Any) -> str:
        for name, value in context.invocation_metadata() or ():
            if name == "x-request-id" and isinstance(value, str) and value.isascii() and value.isprintable():
                return self._plane.id_of(value.encode())
        return self._plane.id_of(None)


def _read(kind: Any, content: bytes) -> Any:
    """The message in a request's bytes; None if they are none."""
    try:
        return kind.FromString(content)
    except DecodeError:
        return None


async def _abort(context: Any, error: Exception, request_id: str) -> Never:
    """End a call with what the error says; of our own faults only the request's id."""
    code = _CODES.get(status_of(error), StatusCode.INTERNAL)
    text = f"{error}; {error.fix}" if isinstance(error, KelpError) and error.fix else str(error)
    if not isinstance(error, KelpError):
        text = f"{FAILED} {request_id}"
    await context.abort(code, text[:_LONGEST_TEXT], (("x-request-id", request_id),))
    raise AssertionError("abort raises")


async def start_grpc(plane: Plane, everywhere: Everywhere, options: Options) -> Any:
    """Serve gRPC at `options.grpc_port`; returns the `grpc.aio.Server`, to be stopped.

    Raises:
        EnvironmentFault: the port cannot be listened on, or the certificate cannot be read.
    """
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", options.body_limit),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", int(options.link_fd is not None)),
        ]
    )
    server.add_generic_rpc_handlers((_Servicer(plane, everywhere).methods(),))
    host = f"[{options.host}]" if ":" in options.host else options.host
    address = f"{host}:{options.grpc_port}"
    try:
        if options.tls is not None:
            server.add_secure_port(address, _credentials(options.tls))
        else:
            server.add_insecure_port(address)
    except RuntimeError as error:
        raise EnvironmentFault(
            "cannot be listened on", place=address, fix="choose another --grpc-port, or stop what holds it"
        ) from error
    await server.start()
    return server


def _credentials(tls: Tls) -> Any:
    return grpc.ssl_server_credentials([(tls.key.read_bytes(), tls.certificate.read_bytes())])
