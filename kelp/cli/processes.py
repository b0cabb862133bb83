# SPDX-License-Identifier: Apache-2.0
"""What `kelp up` needs for every process that it starts: a port, and to know that it answers."""

import socket
import subprocess
import time

from kelp.errors import EnvironmentFault

_READY_S = 60


def free_port(port: int) -> int:
    """The port, if nobody listens there; a free one for 0.

    Raises:
        EnvironmentFault: somebody does.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise EnvironmentFault(
                f"port {port} is taken ({error.strerror})", place="127.0.0.1", fix="kelp up --port 0 takes a free one"
            ) from error
        return int(probe.getsockname()[1])


def wait_ready(url: str, process: "subprocess.Popen[bytes]", name: str) -> None:
    """Wait until a GET is answered with 200; end the process if it is not, for a minute.

    Raises:
        EnvironmentFault: it is not.
    """
    import httpx

    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url, timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    code = process.poll()
    process.terminate()
    problem = f"was not ready within {_READY_S} s" if code is None else f"ended with exit code {code}"
    raise EnvironmentFault(f"{name} {problem}", place=url, fix="read the lines above")
