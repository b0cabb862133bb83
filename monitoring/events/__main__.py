# SPDX-License-Identifier: Apache-2.0
"""Entry of the process that keeps events: 0 after a signal, 2 for a wrong command line, 4 if it cannot keep any.

At SIGTERM what has arrived is stored and answered, then it ends. `kelp up` starts it beside the model server.
"""

import argparse
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Thread
from types import FrameType

import uvicorn

from kelp import log
from kelp.errors import EnvironmentFault, KelpError
from monitoring.events.app import MOST_BODY_BYTES, events_app
from monitoring.events.store import MOST_EVENTS, EventStore

_GRACE_S = 10

_logger = logging.getLogger("monitoring.events")


def main(arguments: Sequence[str]) -> int:
    """Keep events until a signal ends the process; return the exit code of an error."""
    options = _parser().parse_args(arguments)
    log.configure()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)  # uvicorn's handlers drain, then raise the signal again for this one
    if options.until_stdin_closes:
        Thread(target=_follow_stdin, name="stdin", daemon=True).start()
    try:
        _serve(options)
    except KelpError as error:
        _logger.error("%s%s", error, f"; {error.fix}" if error.fix else "")
        return error.exit_code
    return 0


def _serve(options: argparse.Namespace) -> None:
    with _listening(options) as bound, EventStore(options.database, most=options.most_events) as store:
        hosts = ("127.0.0.1", "::1", "localhost", options.host, *options.allowed_host)
        app = events_app(store, hosts=hosts, most_bytes=options.max_body_bytes)
        host, port = bound.getsockname()[:2]
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        _logger.info("keeping events in %s, from http://%s/events", options.database, address)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
        uvicorn.Server(config).run(sockets=[bound])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m monitoring.events",
        description="Keep the events of answered requests in an SQLite file.",
        allow_abbrev=False,
    )
    parser.add_argument("--database", type=Path, required=True, metavar="FILE", help="where; it is begun if need be")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; default: %(default)s")
    parser.add_argument("--port", type=_port, default=8090, help="0 takes a free one; default: %(default)s")
    parser.add_argument("--listen-fd", type=_descriptor, help=argparse.SUPPRESS)  # a socket that listens already
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name that requests may be for, beside --host, 127.0.0.1, ::1 and localhost; may be repeated",
    )
    parser.add_argument(
        "--most-events", type=_positive, default=MOST_EVENTS, help="older ones go for newer; default: %(default)s"
    )
    parser.add_argument(
        "--max-body-bytes", type=_positive, default=MOST_BODY_BYTES, help="of one batch; default: %(default)s"
    )
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end when whoever started it has ended, however it did"
    )
    return parser


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, got {text!r}")
    return int(text)


def _descriptor(text: str) -> int:
    return 0 if text == "0" else _positive(text)


def _port(text: str) -> int:
    port = 0 if text == "0" else _positive(text)
    if port > 65_535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return port


def _listening(options: argparse.Namespace) -> socket.socket:
    """Listen at once: a taken port is an error before anything is opened."""
    host, port, descriptor = options.host, options.port, options.listen_fd
    try:
        if descriptor is not None:
            return socket.socket(fileno=descriptor)
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise EnvironmentFault(
            f"cannot be listened on ({error.strerror})",
            place=f"{host}:{port}" if descriptor is None else f"--listen-fd {descriptor}",
            fix="choose another --port or --host, or stop the process that holds it",
        ) from error


def _follow_stdin() -> None:
    while os.read(0, 4096):  # not sys.stdin: the interpreter cannot end while a thread waits in its buffer
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
