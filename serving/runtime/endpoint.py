# SPDX-License-Identifier: Apache-2.0
"""Where predictions are asked for over HTTP: a model over one protocol, with how requests are read and answers written.

A path says all of it; whether the model is there is found out when it is lent.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kelp.errors import NotFound, RequestError, WrongMediaType
from serving.runtime.answer import Answer, Request
from serving.runtime.model import ServedModel
from serving.runtime.v1 import parse_v1, write_v1
from serving.runtime.v2 import parse_v2, write_v2

Fields = Mapping[bytes, bytes]
"""A request's header fields; the names are in lower case."""

JSON_LENGTH = b"inference-header-content-length"

_VERSION = r"(?:/versions/([^/:?%]+))?"
_V1 = re.compile(rf"/v1/models/([^/:?%]+){_VERSION}:predict")
_V2 = re.compile(rf"/v2/models/([^/:?%]+){_VERSION}/infer")
_EXPLAIN = re.compile(rf"/v1/models/([^/:?%]+){_VERSION}:explain")
_LONGEST = 1024  # characters of a path that may name a model: longer ones would fill the caches
_READ = (b"content-type", b"content-encoding", JSON_LENGTH)
_USUAL_TYPES = (b"application/json", b"application/octet-stream", b"")
_MEDIA_TYPE = re.compile(r"(?:application/(?:json|octet-stream)|text/json)\s*(?:;\s*(?:charset=\"?utf-8\"?)?\s*)?")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model, its version if one was asked for, and a protocol.

    `read` makes a request of what came, over HTTP header fields and a body, or raises InputError. `write` makes what is
    sent of an answer: over HTTP a body, and the length of its JSON if bytes of tensors follow that.
    """

    name: str
    version: str | None
    read: Callable[..., Request]
    write: Callable[[Any, Answer, ServedModel], Any]


def prediction_endpoint(path: str) -> Endpoint | None:
    """The endpoint of a decoded path that asks for predictions; None for any other path."""
    return _endpoint(path) if len(path) <= _LONGEST else None


def hot_endpoint(url: bytes) -> Endpoint | None:
    """The same for what stands in a request's first line; None as well if that needs decoding."""
    return _hot_endpoint(url) if len(url) <= _LONGEST else None


@lru_cache(maxsize=16_384)
def _endpoint(path: str) -> Endpoint | None:
    if match := _V1.fullmatch(path):
        return Endpoint(match[1], match[2], _read_v1, _write_v1)
    if match := _V2.fullmatch(path):
        return Endpoint(match[1], match[2], _read_v2, _write_v2)
    return None


@lru_cache(maxsize=16_384)
def _hot_endpoint(url: bytes) -> Endpoint | None:
    return prediction_endpoint(url.decode("ascii")) if url.isascii() else None


def read_fields(fields: Fields) -> dict[bytes, bytes]:
    """The fields that an endpoint's `read` looks at."""
    return {name: fields[name] for name in _READ if name in fields}


def explained(path: str) -> tuple[str, str | None] | None:
    """The model, and the version if one is asked for, whose scores a path asks to explain; None for any other path."""
    match = _EXPLAIN.fullmatch(path)
    return (match[1], match[2]) if match else None


def no_endpoint(method: str, path: str) -> NotFound:
    """The error of a path that nothing is at."""
    return NotFound(
        f"no such endpoint: {method} {path[:200]}",
        fix="predictions are at POST /v1/models/NAME:predict and POST /v2/models/NAME/infer",
    )


def check_content(fields: Fields) -> None:
    """Refuse a body that is compressed, or of a type that is neither JSON nor binary tensors.

    What a web page may send to any server without asking it (a form, plain text) is refused as well.

    Raises:
        WrongMediaType: it is.
    """
    if (found := fields.get(b"content-type", b"")) not in _USUAL_TYPES:
        text = found.decode("latin-1").lower()
        if not _MEDIA_TYPE.fullmatch(text.strip()):
            raise WrongMediaType(
                f"expected application/json in UTF-8, found {text[:80]!r}",
                place="Content-Type",
                fix="send the header content-type: application/json",
            )
    if (encoding := fields.get(b"content-encoding", b"identity")) != b"identity":
        raise WrongMediaType(
            f"expected no compression, found {encoding.decode('latin-1')[:40]!r}", place="Content-Encoding"
        )


def _read_v1(fields: Fields, body: bytes) -> Request:
    check_content(fields)
    return parse_v1(body)


def _write_v1(request: Request, answer: Answer, model: ServedModel) -> tuple[bytes, int | None]:
    return write_v1(answer), None


def _read_v2(fields: Fields, body: bytes) -> Request:
    check_content(fields)
    return parse_v2(body, _json_length(fields))


def _write_v2(request: Any, answer: Answer, model: ServedModel) -> tuple[bytes, int | None]:
    return write_v2(request, answer, model=model.name, version=model.version)


def _json_length(fields: Fields) -> int | None:
    text = fields.get(JSON_LENGTH)
    if text is None:
        return None
    if not text.isdigit() or len(text) > 18:  # of bytes, isdigit means ASCII digits alone
        raise RequestError(
            f"expected a whole number, found {text.decode('latin-1')[:40]!r}", place="Inference-Header-Content-Length"
        )
    return int(text)
