# SPDX-License-Identifier: Apache-2.0
"""Several processes behind one address: starts the workers, starts again those that die, and speaks for all of them.

The workers share a listening socket; for gRPC each binds the port itself (SO_REUSEPORT). What one of them is asked for
all (load, unload, the metrics) it asks here, and this process asks every one. It serves nothing and loads no model.
A worker whose starter is gone ends itself.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from kelp.errors import EnvironmentFault, KelpError
from serving.runtime.link import Link
from serving.runtime.listen import listening
from serving.runtime.options import Options
from serving.runtime.samples import Samples, lasting, merged, steady

_SHORTEST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 10.0
_STEADY_S = 30.0  # a worker that lasted longer is started again at once
_KILL_AFTER_S = 5.0  # beyond what requests and the log may take
_SAMPLES_S = 3.0  # for a worker to say its numbers

logger = logging.getLogger(__name__)


def supervise(options: Options, arguments: Sequence[str]) -> int:
    """Run the workers until a signal ends the server; return the exit code.

    Args:
        options: of the server.
        arguments: its command line, which each worker gets as well.

    Raises:
        EnvironmentFault: the address cannot be listened on.
    """
    with listening(options) as bound:
        _check_grpc_port(options)
        return asyncio.run(_Supervisor(options, arguments, bound).run())


def _check_grpc_port(options: Options) -> None:
    """Bind it for a moment: the workers share it, and would share it with another server as well."""
    if options.grpc_port is None:
        return
    try:
        listening(replace(options, port=options.grpc_port)).close()
    except EnvironmentFault as error:
        fix = "choose another --grpc-port, or stop the process that holds it"
        raise EnvironmentFault(error.message, place=error.place, fix=fix) from error


class _Supervisor:
    def __init__(self, options: Options, arguments: Sequence[str], bound: socket.socket) -> None:
        self._options = options
        self._arguments = arguments
        self._bound = bound
        self._links: dict[int, Link] = {}  # to the workers that answer requests
        self._ended: list[Samples] = []  # what workers that ended had counted when they were last asked
        self._latest: dict[int, Samples] = {}
        self._said: Samples = []
        self._served: dict[str, int] | None = None  # the version of each model: a worker that starts later has them too
        self._one_command = asyncio.Lock()
        self._one_scrape = asyncio.Lock()
        self._has_served = False
        self._is_ending = asyncio.Event()
        self._exit_code = 0

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._is_ending.set)
        logger.info("starting %d workers", self._options.workers)
        await asyncio.gather(*(self._keep_running(number) for number in range(1, self._options.workers + 1)))
        return self._exit_code

    async def _keep_running(self, number: int) -> None:
        pause = _SHORTEST_PAUSE_S
        while not self._is_ending.is_set():
            started = time.monotonic()
            code = await self._run_once(number)
            if self._is_ending.is_set():
                return
            if not self._has_served:  # none ever did: what is wrong with this one is wrong with all
                self._exit_code = code if code > 0 else 4
                self._is_ending.set()
                return
            pause = _SHORTEST_PAUSE_S if time.monotonic() - started > _STEADY_S else min(2 * pause, _LONGEST_PAUSE_S)
            logger.error("worker %d ended with exit code %d; it is started again", number, code)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_ending.wait(), pause)

    async def _run_once(self, number: int) -> int:
        ours, theirs = socket.socketpair()
        descriptors = (self._bound.fileno(), theirs.fileno())
        command = [sys.executable, "-m", "serving.runtime", *self._arguments]
        command += ["--listen-fd", str(descriptors[0]), "--link-fd", str(descriptors[1])]
        with theirs:
            process = await asyncio.create_subprocess_exec(*command, pass_fds=descriptors, start_new_session=True)
        link = await Link.over(ours, lambda ask: self._asked(number, link, ask))
        ended = asyncio.create_task(process.wait())
        ending = asyncio.create_task(self._is_ending.wait())
        await asyncio.wait((ended, ending), return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            self._bound.close()  # else callers would be accepted here, where nobody answers them
            await self._end(process, ended)
        ending.cancel()
        await link.closed
        self._links.pop(number, None)
        self._ended.append(lasting(self._latest.pop(number, [])))
        self._ended = [merged(self._ended)]
        return ended.result()

    async def _end(self, process: asyncio.subprocess.Process, ended: "asyncio.Task[int]") -> None:
        with suppress(ProcessLookupError):
            process.terminate()
        within = self._options.grace_s + self._options.log_drain_s + _KILL_AFTER_S
        await asyncio.wait((ended,), timeout=within)
        if not ended.done():
            logger.error("worker process %d does not end within %g s; it is killed", process.pid, within)
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            await ended

    async def _asked(self, number: int, link: Link, ask: Mapping[str, Any]) -> Any:
        """Answer a worker.

        Raises:
            KelpError: a worker cannot do what is asked of all.
        """
        match ask["do"]:
            case "samples":
                return await self._samples()
            case "ready":
                return await self._joined(number, link, ask["versions"])
            case command:
                return await self._everywhere(command, ask["name"])

    async def _joined(self, number: int, link: Link, versions: dict[str, int]) -> dict[str, int]:
        async with self._one_command:  # one that is under way would miss this worker
            self._has_served = True
            self._links[number] = link
            if self._served is None:
                self._served = versions
            return self._served

    async def _everywhere(self, command: str, name: str) -> None:
        async with self._one_command:
            asked = [link.ask({"do": command, "name": name}) for link in self._links.values()]
            answers = await asyncio.gather(*asked, return_exceptions=True)
            errors = [answer for answer in answers if isinstance(answer, BaseException)]
            if len(errors) < len(answers):
                self._remember(name, [answer for answer in answers if not isinstance(answer, BaseException)])
            for error in errors:
                if len(errors) == len(answers) or not isinstance(error, KelpError):
                    raise error
                logger.error("a worker could not %s %s: %s", command, name, error)

    def _remember(self, name: str, versions: list[int | None]) -> None:
        assert self._served is not None
        loaded = [version for version in versions if version is not None]
        if loaded:
            self._served[name] = max(loaded)
        else:
            self._served.pop(name, None)

    async def _samples(self) -> Samples:
        async with self._one_scrape:  # the later of two has the later numbers
            await asyncio.gather(*(self._asked_for_samples(number, link) for number, link in self._links.items()))
            self._said = steady(merged([*self._latest.values(), *self._ended]), self._said)
            return self._said

    async def _asked_for_samples(self, number: int, link: Link) -> None:
        with suppress(KelpError, TimeoutError):  # then what it said before still counts
            found = await asyncio.wait_for(link.ask({"do": "samples"}), _SAMPLES_S)
            if self._links.get(number) is link:  # not ended: what it said before counts already
                self._latest[number] = found
