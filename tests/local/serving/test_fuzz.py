# SPDX-License-Identifier: Apache-2.0
"""Requests that nobody would write, at a real server: never our fault, never a closed connection, and the next good
request on the same connection has the right answer. The same requests are built every time.
"""

from contextlib import closing

import pytest
from hypothesis import given

from tests.local.serving.conftest import Address
from tests.local.serving.fuzz_requests import KINDS, http_request
from tests.local.serving.mutation import CHANCES, QUICK, SLOW, same
from tests.local.serving.raw_connection import Connection, check


def fuzz(address: Address, kind: str, examples: int) -> None:
    with closing(Connection(address.port)) as connection:

        @same(examples)
        @given(CHANCES.map(KINDS[kind]))
        def each(content: bytes) -> None:
            check(connection, content)

        each()


def fuzz_http(address: Address, examples: int) -> None:
    with closing(Connection(address.port)) as connection:

        @same(examples)
        @given(CHANCES.map(http_request))
        def each(built: tuple[list[bytes], bool, bool]) -> None:
            pieces, is_last, is_head = built
            check(connection, *pieces, is_last=is_last, has_body=not is_head)

        each()


@pytest.mark.parametrize("kind", list(KINDS))
def test_requests_over_http_are_never_our_fault(address: Address, kind: str) -> None:
    fuzz(address, kind, QUICK)


def test_requests_that_http_allows_are_never_our_fault(address: Address) -> None:
    fuzz_http(address, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(KINDS))
def test_many_requests_over_http_are_never_our_fault(address: Address, kind: str) -> None:
    fuzz(address, kind, SLOW)


@pytest.mark.slow
def test_many_requests_that_http_allows_are_never_our_fault(address: Address) -> None:
    fuzz_http(address, SLOW)
