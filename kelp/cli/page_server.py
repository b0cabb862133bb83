# SPDX-License-Identifier: Apache-2.0
"""Serves the page of `kelp up` from its own process: on 127.0.0.1 only, to be read only.

Requests for another host are refused, so a web page elsewhere cannot reach it by a name that it points here.
"""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any

from kelp.errors import EnvironmentFault

if TYPE_CHECKING:
    from starlette.applications import Starlette

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def page_app(page: str, state: Callable[[], Mapping[str, Any]]) -> "Starlette":
    """The application: `/` is the page, `/state.json` what it shows."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, JSONResponse, Response
    from starlette.routing import Route

    async def whole(request: Request) -> Response:
        return HTMLResponse(page, headers=_HEADERS)

    async def now(request: Request) -> Response:
        return JSONResponse(state(), headers=_HEADERS)

    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"], www_redirect=False)
    return Starlette(routes=[Route("/", whole), Route("/state.json", now)], middleware=[hosts])


@contextmanager
def serving(app: "Starlette", port: int) -> Iterator[str]:
    """Serve an application in a thread; yields its address. Port 0 takes a free one.

    Raises:
        EnvironmentFault: the port is taken.
    """
    import uvicorn

    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
        bound.listen()  # from here on the port is taken, and who asks waits until the thread has started
    except OSError as error:
        bound.close()
        raise EnvironmentFault(
            f"port {port} is taken ({error.strerror})", place="127.0.0.1", fix="--page-port 0 takes a free one"
        ) from error
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", server_header=False))
    thread = Thread(target=server.run, kwargs={"sockets": [bound]}, name="page", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()
        bound.close()
