# SPDX-License-Identifier: Apache-2.0
"""Work in threads, by kind, so that what is slow keeps nothing else waiting; and who asked for it may leave.

A cancelled await does not stop a thread. What the thread holds, or brings, must be given back all the same.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

_LOADS = ThreadPoolExecutor(8, "load")
_EXPLANATIONS = ThreadPoolExecutor(2, "explain")

Found = TypeVar("Found")


def loading(call: Callable[..., Found], *arguments: Any) -> "asyncio.Future[Found]":
    """Start a load in a thread."""
    return asyncio.get_running_loop().run_in_executor(_LOADS, call, *arguments)


def explaining(call: Callable[..., Found], *arguments: Any) -> "asyncio.Future[Found]":
    """Start an explanation in a thread."""
    return asyncio.get_running_loop().run_in_executor(_EXPLANATIONS, call, *arguments)


def scoring(call: Callable[..., Found], *arguments: Any) -> "asyncio.Future[Found]":
    """Start the parsing or the scoring of a large request in a thread."""
    return asyncio.get_running_loop().run_in_executor(None, call, *arguments)


async def ended(work: "asyncio.Future[Found]") -> Found:
    """Wait until a thread has ended, whatever becomes of who asked; raises as the thread did, or CancelledError."""
    is_cancelled = False
    while not work.done():
        try:
            await asyncio.wait((work,))
        except asyncio.CancelledError:
            is_cancelled = True
    if is_cancelled:
        raise asyncio.CancelledError
    return work.result()
