# SPDX-License-Identifier: Apache-2.0
import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from kelp.errors import EnvironmentFault, IntegrityError, KelpError, NotFound, NotReady, RequestError
from serving.runtime.link import Ask, Link

Talk = Callable[[Link, socket.socket], Awaitable[None]]


async def echo(ask: Ask) -> Any:
    return ask["say"]


async def nothing(ask: Ask) -> Any:
    raise AssertionError("nobody asks this end")


def end(either: socket.socket) -> None:
    with suppress(OSError):  # it has ended already
        either.shutdown(socket.SHUT_RDWR)


def talk(answer: Callable[[Ask], Awaitable[Any]], conversation: Talk) -> None:
    """Link two ends, of which the second answers; the conversation gets the first, and the second's socket."""

    async def run() -> None:
        ours, theirs = socket.socketpair()
        asking, answering = await Link.over(ours, nothing), await Link.over(theirs, answer)
        await asyncio.wait_for(conversation(asking, theirs), 60)
        end(theirs)
        await asyncio.wait_for(asyncio.gather(asking.closed, answering.closed), 60)

    asyncio.run(run())


@pytest.mark.parametrize("value", [None, True, 7, 1.5, "caf\u00e9", [1, [2]], {"a": {"b": None}}, "", [], {}])
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    async def ask(link: Link, _: socket.socket) -> None:
        assert await link.ask({"say": value}) == value

    talk(echo, ask)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (NotFound("no model", place="fraud", fix="look"), NotFound),
        (NotReady("refused", place="fraud", fix="wait"), NotReady),
        (EnvironmentFault("no disk", place="/data"), EnvironmentFault),
        (IntegrityError("its SHA-256 differs", place="model.onnx", fix="fetch it"), EnvironmentFault),
        (RequestError("expected a number"), EnvironmentFault),
    ],
)
def test_an_error_crosses_with_its_kind_place_and_fix(raised: KelpError, expected: type[KelpError]) -> None:
    async def refuse(_: Ask) -> Any:
        raise raised

    async def ask(link: Link, _: socket.socket) -> None:
        with pytest.raises(KelpError) as caught:
            await link.ask({"do": "load"})
        assert type(caught.value) is expected
        assert (str(caught.value), caught.value.fix) == (str(raised), raised.fix)
        with pytest.raises(KelpError):
            await link.ask({"do": "load"})  # the link goes on

    talk(refuse, ask)


@pytest.mark.parametrize("value", [RuntimeError("secret"), {1, 2}])
def test_whoever_asks_an_end_that_fails_is_told_so(value: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def fail(ask: Ask) -> Any:
        if ask["do"] == "go on":
            return "yes"
        if isinstance(value, Exception):
            raise value
        return value  # no JSON

    async def ask(link: Link, _: socket.socket) -> None:
        with pytest.raises(RuntimeError, match="the other end of the link failed") as caught:
            await link.ask({"do": "fail"})
        assert "secret" not in str(caught.value)
        assert await link.ask({"do": "go on"}) == "yes"

    talk(fail, ask)
    assert "what was asked over the link failed" in caplog.text


def test_asks_that_cross_each_other_get_their_own_answers() -> None:
    may_answer = asyncio.Event()

    async def answer(ask: Ask) -> Any:
        if ask["say"] == "slow":
            await may_answer.wait()
        else:
            may_answer.set()
        return ask["say"]

    async def ask(link: Link, _: socket.socket) -> None:
        assert list(await asyncio.gather(link.ask({"say": "slow"}), link.ask({"say": "fast"}))) == ["slow", "fast"]
        many = [link.ask({"say": number}) for number in range(500)]
        assert await asyncio.gather(*many) == list(range(500))

    talk(answer, ask)


def test_both_ends_may_ask_at_once_and_within_an_answer() -> None:
    async def run() -> None:
        ours, theirs = socket.socketpair()
        first = await Link.over(ours, echo)

        async def ask_back(ask: Ask) -> Any:
            return [await second.ask({"say": "back"}), ask["say"]]

        second = await Link.over(theirs, ask_back)
        assert await asyncio.wait_for(first.ask({"say": "there"}), 60) == ["back", "there"]
        end(ours)
        await asyncio.gather(first.closed, second.closed)

    asyncio.run(run())


@pytest.mark.parametrize("size", [2**16, 2**16 + 1, 2**24])
def test_a_big_message_comes_whole(size: int) -> None:
    async def ask(link: Link, _: socket.socket) -> None:
        text = "x" * size
        assert list(await asyncio.gather(link.ask({"say": text}), link.ask({"say": "small"}))) == [text, "small"]

    talk(echo, ask)


def test_an_end_that_is_gone_while_it_is_asked_is_an_error_and_so_is_asking_it_again() -> None:
    asked = asyncio.Event()

    async def never(_: Ask) -> Any:
        asked.set()
        await asyncio.Event().wait()

    async def ask(link: Link, other: socket.socket) -> None:
        waiting = [asyncio.create_task(link.ask({"do": "it"})) for _ in range(3)]
        await asked.wait()
        end(other)
        for task in waiting:
            with pytest.raises(EnvironmentFault, match="the process at the other end has ended"):
                await task
        await link.closed
        with pytest.raises(EnvironmentFault, match="has ended"):
            await link.ask({"do": "it"})

    talk(never, ask)


def test_a_process_that_is_killed_while_it_is_asked_is_an_error() -> None:
    async def run() -> None:
        ours, theirs = socket.socketpair()
        code = f"import socket; s = socket.socket(fileno={theirs.fileno()}); s.recv(1); s.recv(1 << 20); s.recv(1)"
        with theirs:
            process = subprocess.Popen([sys.executable, "-c", code], pass_fds=(theirs.fileno(),))
        link = await Link.over(ours, nothing)
        waiting = asyncio.create_task(link.ask({"do": "it"}))
        await asyncio.wait((waiting,), timeout=0.01)
        os.kill(process.pid, 9)
        with pytest.raises(EnvironmentFault, match="has ended"):
            await asyncio.wait_for(waiting, 60)
        process.wait(60)

    asyncio.run(run())


def test_an_ask_that_is_given_up_harms_no_other() -> None:
    may_answer = asyncio.Event()

    async def answer(ask: Ask) -> Any:
        if ask["say"] == "slow":
            await may_answer.wait()
        return ask["say"]

    async def ask(link: Link, _: socket.socket) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(link.ask({"say": "slow"}), 0.01)
        may_answer.set()
        assert await link.ask({"say": "fast"}) == "fast"

    talk(answer, ask)
