# SPDX-License-Identifier: Apache-2.0
import socket
import subprocess
import sys

import pytest

from kelp.cli.processes import free_port, wait_ready
from kelp.errors import EnvironmentFault


def test_a_port_that_somebody_listens_on_is_an_error_and_0_gives_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EnvironmentFault, match=f"port {port} is taken") as raised:
            free_port(port)
        assert "--port 0" in raised.value.fix
        assert free_port(0) not in (0, port)
    assert free_port(port) == port


def test_a_process_that_ends_instead_of_becoming_ready_is_an_error_at_once() -> None:
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    with process, pytest.raises(EnvironmentFault, match="the server ended with exit code 3"):
        wait_ready(f"http://127.0.0.1:{free_port(0)}/health", process, "the server")
