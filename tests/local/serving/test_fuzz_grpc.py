# SPDX-License-Identifier: Apache-2.0
"""Messages over gRPC that nobody would write, at a real server: never our fault, never a closed connection, and the
next good message on the same connection has the right answer. The same messages are built every time.
"""

import pytest
from hypothesis import given

from tests.local.serving.conftest import Address
from tests.local.serving.fuzz_messages import a_caller, grpc_request
from tests.local.serving.mutation import CHANCES, QUICK, SLOW, same


def fuzz_grpc(address: Address, examples: int) -> None:
    with a_caller(address) as caller:

        @same(examples)
        @given(CHANCES.map(grpc_request))
        def each(built: tuple[str, bytes]) -> None:
            caller.check(*built)

        each()


def test_requests_over_grpc_are_never_our_fault(address: Address) -> None:
    fuzz_grpc(address, QUICK)


@pytest.mark.slow
def test_many_requests_over_grpc_are_never_our_fault(address: Address) -> None:
    fuzz_grpc(address, SLOW)
