# SPDX-License-Identifier: Apache-2.0
"""Run the audit service: `python -m kelp.audit --home /etc/kelp/home.toml --host 0.0.0.0 --port 8080`.

The registry's copy of the aliases is written by a function named on the command line, because the registry is a
layer above this one: `--publish-aliases package.module:function` names a function from a `Home` to a
`PublishAliases`. Without it, moves are recorded and their copies wait for a service that has it.
"""

import argparse
import importlib
import logging
import socket
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from kelp import log as kelp_log
from kelp.audit.identity import TOKENS_FILE, Identities
from kelp.audit.ledger import Ledger
from kelp.audit.log import PublishAliases
from kelp.audit.server import create_app
from kelp.errors import EnvironmentFault, InputError, KelpError
from kelp.home import AUDIT_KEY, Home, load_home

_logger = logging.getLogger("kelp.audit")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; return the exit code."""
    options = _parser().parse_args(arguments)
    kelp_log.configure()
    try:
        serve(load_home(options.home), options.host, options.port, options.publish_aliases)
    except KelpError as error:
        _logger.error("%s%s", error, f" (fix: {error.fix})" if error.fix else "")
        return error.exit_code
    except KeyboardInterrupt:
        _logger.info("stopped")
    return 0


def serve(home: Home, host: str, port: int, publisher: str = "") -> None:
    """Serve the home's log at host:port; port 0 takes a free one, which the first log line names.

    Raises:
        InputError: the home's log is not a folder, the tokens file is wrong, or `publisher` names no function.
        EnvironmentFault: a secret is missing, the folder cannot be opened, or the port is taken.
    """
    import uvicorn

    if "://" in home.audit:
        raise InputError(
            f"a folder was expected, found {home.audit}",
            place="audit",
            fix="give the service a home whose `audit` is the folder of its volume",
        )
    identities = Identities(Path(home.keys) / TOKENS_FILE)
    publish = _load_publisher(publisher, home) if publisher else None
    seed = home.secret(AUDIT_KEY)
    with (
        _listen(host, port) as listener,
        closing(Ledger(Path(home.audit), seed=seed, publish_aliases=publish)) as ledger,
    ):
        if publish is None:
            _logger.warning("no --publish-aliases: the registry's copies of the aliases are not written")
        _logger.info("audit service of %s listening on http://%s:%d", ledger.signer.verifier.name, *_address(listener))
        config = uvicorn.Config(create_app(ledger, identities), log_config=None, access_log=False, server_header=False)
        uvicorn.Server(config).run(sockets=[listener])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kelp.audit", description="Serve the audit log over HTTP.")
    parser.add_argument("--home", type=Path, required=True, help="the home.toml whose log and keys to serve")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8080, help="port to listen on; 0 takes a free one")
    parser.add_argument("--publish-aliases", default="", metavar="MODULE:FUNCTION", help="writes the registry's copy")
    return parser


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise InputError(f"a port from 0 to 65535 was expected, found {port}", place="--port")
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise EnvironmentFault(
            f"cannot listen on {host}:{port} ({error})", fix="choose another --host or --port"
        ) from error


def _address(listener: socket.socket) -> tuple[str, int]:
    host, port = listener.getsockname()[:2]
    return str(host), int(port)


def _load_publisher(name: str, home: Home) -> PublishAliases:
    module, _, function = name.partition(":")
    try:
        publish: PublishAliases = getattr(importlib.import_module(module), function)(home)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"a function package.module:name was expected, found {name} ({error})", place="--publish-aliases"
        ) from error
    return publish


if __name__ == "__main__":
    sys.exit(main())
