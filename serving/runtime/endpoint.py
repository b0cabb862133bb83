# SPDX-License-Identifier: Apache-2.0
"""Where predictions are asked for: one model over one protocol, with how its requests are read and answers written."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kelp.errors import NotFound, RequestError
from serving.runtime.answer import Answer, Request
from serving.runtime.model import ServedModel
from serving.runtime.v1 import parse_v1, write_v1
from serving.runtime.v2 import parse_v2, write_v2

Fields = Mapping[bytes, bytes]
"""A request's header fields; the names are in lower case."""

JSON_LENGTH = b"inference-header-content-length"

_EXPLAIN = re.compile(r"/v1/models/([^/]+):explain")
_V1 = re.compile(r"/v1/models/([^/]+):predict")
_V2 = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?/infer")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model and a protocol.

    `read` makes a request of header fields and a body, or raises RequestError. `write` gives the body of an answer,
    and the length of its JSON if bytes of tensors follow that.
    """

    model: ServedModel
    read: Callable[[Fields, bytes], Request]
    write: Callable[[Any, Answer, ServedModel], tuple[bytes, int | None]]


def hot_paths(models: Mapping[str, ServedModel]) -> dict[bytes, Endpoint]:
    """Every endpoint by the paths that need no decoding."""
    paths: dict[bytes, Endpoint] = {}
    for name, model in models.items():
        paths[f"/v1/models/{name}:predict".encode()] = Endpoint(model, _read_v1, _write_v1)
        for path in (f"/v2/models/{name}/infer", f"/v2/models/{name}/versions/{model.version}/infer"):
            paths[path.encode()] = Endpoint(model, _read_v2, _write_v2)
    return paths


def find_endpoint(models: Mapping[str, ServedModel], method: str, path: str) -> Endpoint:
    """The endpoint of a decoded path.

    Raises:
        NotFound: there is none, or its model or version is not served here.
    """
    if method == "POST":
        if match := _V1.fullmatch(path):
            return Endpoint(_model(models, match[1], None), _read_v1, _write_v1)
        if match := _V2.fullmatch(path):
            return Endpoint(_model(models, match[1], match[2]), _read_v2, _write_v2)
    raise NotFound(
        f"no such endpoint: {method} {path[:200]}",
        fix="predictions are at POST /v1/models/NAME:predict and POST /v2/models/NAME/infer",
    )


def explained(models: Mapping[str, ServedModel], fields: Fields, path: str) -> ServedModel:
    """The model whose scores a path asks to explain.

    Raises:
        NotFound: the path is another one, or the model is not served here.
        RequestError: the body is compressed.
    """
    match = _EXPLAIN.fullmatch(path)
    if match is None:
        raise NotFound(f"no such endpoint: POST {path[:200]}", fix="explanations are at POST /v1/models/NAME:explain")
    model = _model(models, match[1], None)
    _check_encoding(fields)
    return model


def _model(models: Mapping[str, ServedModel], name: str, version: str | None) -> ServedModel:
    model = models.get(name)
    if model is None:
        raise NotFound(f"no model is called {name[:80]}", fix=f"served here: {', '.join(sorted(models))}")
    if version is not None and version != model.version:
        raise NotFound(f"version {version[:20]} is not served here", fix=f"served here: {name} {model.version}")
    return model


def _read_v1(fields: Fields, body: bytes) -> Request:
    _check_encoding(fields)
    return parse_v1(body)


def _write_v1(request: Request, answer: Answer, model: ServedModel) -> tuple[bytes, int | None]:
    return write_v1(answer), None


def _read_v2(fields: Fields, body: bytes) -> Request:
    _check_encoding(fields)
    return parse_v2(body, _json_length(fields))


def _write_v2(request: Any, answer: Answer, model: ServedModel) -> tuple[bytes, int | None]:
    return write_v2(request, answer, model=model.name, version=model.version)


def _check_encoding(fields: Fields) -> None:
    encoding = fields.get(b"content-encoding", b"identity")
    if encoding != b"identity":
        raise RequestError(
            f"expected no compression, found {encoding.decode('latin-1')[:40]}", place="Content-Encoding"
        )


def _json_length(fields: Fields) -> int | None:
    text = fields.get(JSON_LENGTH)
    if text is None:
        return None
    if not text.isdigit() or len(text) > 18:  # of bytes, isdigit means ASCII digits alone
        raise RequestError(
            f"expected a whole number, found {text.decode('latin-1')[:40]!r}", place="Inference-Header-Content-Length"
        )
    return int(text)
