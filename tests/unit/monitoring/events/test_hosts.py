# SPDX-License-Identifier: Apache-2.0
"""Which Host headers name this process."""

import asyncio
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from monitoring.events.hosts import KnownHosts


def status(names: list[str], *headers: str) -> int:
    """What a request with these Host headers is answered."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "headers": [(b"host", header.encode()) for header in headers],
    }
    asyncio.run(KnownHosts(PlainTextResponse("ok"), names)(scope, receive, send))
    found: int = sent[0]["status"]
    return found


@pytest.mark.parametrize(
    "header",
    ["127.0.0.1", "127.0.0.1:8090", "LocalHost:1", "localhost:", "[::1]", "[::1]:8090", "[0:0:0:0:0:0:0:1]:8090"],
)
def test_a_name_of_this_machine_is_known_with_any_port(header: str) -> None:
    assert status(["127.0.0.1", "localhost", "::1"], header) == 200


@pytest.mark.parametrize("name", ["[2001:DB8::1]", "2001:db8:0:0::1"])
def test_an_address_may_be_named_in_any_way_of_writing_it(name: str) -> None:
    assert status([name], "[2001:db8::1]:80") == 200


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param((), id="none"),
        pytest.param(("localhost", "localhost"), id="two"),
        *(
            pytest.param((header,), id=header)
            for header in (
                "",
                "evil.test",
                "localhost.evil.test",
                "[::2]:80",
                "[::1",
                "::1",
                "[::1]x",
                "[::1].evil.test",
            )
        ),
        pytest.param(("localhost:80:80",), id="two ports"),
        pytest.param(("evil.test@localhost",), id="a user"),
        pytest.param(("localhost\n",), id="a line"),
    ],
)
def test_anything_else_is_refused(headers: tuple[str, ...]) -> None:
    assert status(["127.0.0.1", "localhost", "::1"], *headers) == 400
