# SPDX-License-Identifier: Apache-2.0
"""A link between a worker and the process that started it: either side asks, the other answers, over one socket.

A message is its length in 4 bytes and that much JSON. An answer is a value, one of kelp's errors, or that the other
end failed.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Any, Self

import orjson

from kelp.errors import EnvironmentFault, KelpError, NotFound, NotReady

Ask = Mapping[str, Any]
Answer = Callable[[Ask], Awaitable[Any]]
"""From what is asked to a JSON value; raises KelpError."""

_HEAD = struct.Struct("<I")
_ERRORS: dict[str, type[KelpError]] = {error.__name__: error for error in (NotFound, NotReady, EnvironmentFault)}

logger = logging.getLogger(__name__)


class Link:
    """One end. `closed` is done when the other end is gone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
        self._reader = reader
        self._writer = writer
        self._answer = answer
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.closed = asyncio.create_task(self._run())

    @classmethod
    async def over(cls, end: socket.socket, answer: Answer) -> Self:
        """Start a link over one end of a socket pair."""
        return cls(*await asyncio.open_unix_connection(sock=end), answer)

    async def ask(self, question: Ask) -> Any:
        """Ask the other end.

        Raises:
            KelpError: what the other end raised.
            EnvironmentFault: the other end is gone.
            RuntimeError: it failed, as its log says.
        """
        if self.closed.done():
            raise _gone()
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._send({"number": number, "ask": dict(question)})
        try:
            return await answer
        finally:
            del self._waiting[number]

    def _send(self, message: dict[str, Any]) -> None:
        content = orjson.dumps(message)
        self._writer.write(_HEAD.pack(len(content)) + content)

    async def _run(self) -> None:
        try:
            while True:
                (size,) = _HEAD.unpack(await self._reader.readexactly(_HEAD.size))
                message = orjson.loads(await self._reader.readexactly(size))
                if "ask" in message:
                    task = asyncio.create_task(self._answered(message["number"], message["ask"]))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                else:
                    self._arrived(message)
        except (asyncio.IncompleteReadError, OSError):
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(_gone())
            self._writer.close()

    async def _answered(self, number: int, question: Ask) -> None:
        try:
            self._send({"number": number, "value": await self._answer(question)})
        except KelpError as error:
            kind = type(error).__name__
            self._send({"number": number, "error": [kind, error.message, error.place, error.fix]})
        except Exception:  # whoever asked must not wait for ever
            logger.exception("what was asked over the link failed")
            self._send({"number": number, "failed": True})

    def _arrived(self, message: dict[str, Any]) -> None:
        waiting = self._waiting.get(message["number"])
        if waiting is None or waiting.done():
            return
        if "failed" in message:
            waiting.set_exception(RuntimeError("the other end of the link failed; its log says how"))
        elif "error" in message:
            kind, text, place, fix = message["error"]
            waiting.set_exception(_ERRORS.get(kind, EnvironmentFault)(text, place=place, fix=fix))
        else:
            waiting.set_result(message["value"])


def _gone() -> EnvironmentFault:
    return EnvironmentFault("the process at the other end has ended", place="workers", fix="ask again")
