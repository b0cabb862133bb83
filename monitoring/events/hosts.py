# SPDX-License-Identifier: Apache-2.0
"""Which names a request may be for, so that a web page reaches nothing by a name of its own that it points here.

Starlette's check takes no IPv6 address: older ones end `[::1]:80` at its first colon, newer ones keep the brackets.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_HEADER = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]+)(?::\d*)?")  # RFC 9110, section 7.2


class KnownHosts:
    """The application, for requests whose one Host header names one of these; 400 for others."""

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        self._app = app
        self._names = {_canonical(name) for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "http" and not self._is_known(scope):
            await PlainTextResponse("Invalid host header", 400)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_known(self, scope: Scope) -> bool:
        found = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"host"]
        match = _HEADER.fullmatch(found[0]) if len(found) == 1 else None
        return match is not None and _canonical(match[1]) in self._names


def _canonical(name: str) -> str:
    """One text for all ways of writing an IPv6 address, with brackets or without, and for upper and lower case."""
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    try:
        return str(ip_address(bare))
    except ValueError:
        return name.lower()
