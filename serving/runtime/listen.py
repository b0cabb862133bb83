# SPDX-License-Identifier: Apache-2.0
"""The socket that a server answers HTTP on."""

import socket
from ipaddress import ip_address

from kelp.errors import EnvironmentFault
from serving.runtime.options import Options

_BACKLOG = 2048


def listening(options: Options) -> socket.socket:
    """Bind the server's address; a worker takes over the socket that was bound for it.

    Raises:
        EnvironmentFault: the address cannot be listened on.
    """
    if options.listen_fd is not None:
        return socket.socket(fileno=options.listen_fd)
    bound = socket.socket(socket.AF_INET6 if ":" in options.host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((options.host, options.port))
    except OSError as error:
        bound.close()
        raise EnvironmentFault(
            f"cannot be listened on ({error.strerror})",
            place=f"{options.host}:{options.port}",
            fix="choose another --http-port or --host, or stop the process that holds it",
        ) from error
    return bound


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
