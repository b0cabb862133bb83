# SPDX-License-Identifier: Apache-2.0
"""The JSON object in a request's body."""

from typing import Any

import orjson

from kelp.errors import RequestError
from kelp.frame.values import described


def json_object(body: bytes) -> dict[str, Any]:
    """Parse strict JSON: UTF-8, no NaN or Infinity.

    Raises:
        RequestError: the body is something else.
    """
    if not body:
        raise RequestError("expected a JSON object, found nothing", place="body")
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(f"expected JSON: {error}", place="body") from error
    if not isinstance(content, dict):
        raise RequestError(f"expected a JSON object, found {described(content)}", place="body")
    return content


def required(content: dict[str, Any], key: str, place: str = "") -> Any:
    """The value of a key that must be there.

    Raises:
        RequestError: it is absent.
    """
    if key not in content:
        raise RequestError("expected the key, found nothing", place=f"{place}{key}")
    return content[key]
