# SPDX-License-Identifier: Apache-2.0
"""A real S3 server for tests: `rclone serve s3` on a folder whose subfolders are the buckets."""

import shutil
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kelp.home import S3, S3_ACCESS_KEY, S3_SECRET_KEY, Home
from kelp.store import Store, open_store

ACCESS_KEY = "kelp-access-key"
SECRET_KEY = "kelp-secret-key"
BUCKET = "kelp-bucket"
_START_TIMEOUT_S = 20.0


class S3Server:
    """One rclone process; it can be killed and started again on the same port and folder."""

    def __init__(self, folder: Path) -> None:
        self.buckets = folder / "buckets"
        (self.buckets / BUCKET).mkdir(parents=True)
        self._log = folder / "rclone.log"
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        rclone = shutil.which("rclone", path=sysconfig.get_path("scripts")) or "rclone"
        with self._log.open("ab") as log:
            credentials = f"{ACCESS_KEY},{SECRET_KEY}"
            command = [rclone, "serve", "s3", "--addr", self.endpoint, "--auth-key", credentials, "--config", ""]
            self._process = subprocess.Popen([*command, str(self.buckets)], stdout=log, stderr=log)
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"rclone does not serve: {self._log.read_text(errors='replace')[-2000:]}")

    def kill(self) -> None:
        """End the server as kill -9 does; harmless when it is not running."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _accepts(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.1)
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


@contextmanager
def running_s3(folder: Path) -> Iterator[S3Server]:
    """A server for the time of the block."""
    server = S3Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def a_home(folder: Path, endpoint: str = "", *, access_key: str = ACCESS_KEY, secret_key: str = SECRET_KEY) -> Home:
    """A home whose keys folder holds these credentials."""
    keys = folder / "keys"
    keys.mkdir(exist_ok=True)
    (keys / S3_ACCESS_KEY).write_text(f"{access_key}\n")
    (keys / S3_SECRET_KEY).write_text(f"{secret_key}\n")
    where = str(folder)
    s3 = S3(endpoint=endpoint, secure=False)
    return Home(data_root=where, store=where, registry=where, audit=where, runs=where, keys=str(keys), s3=s3)


def an_s3_store(folder: Path, endpoint: str, location: str = f"s3://{BUCKET}/pre/fix") -> Store:
    """A store at an endpoint, with the right credentials."""
    return open_store(location, a_home(folder, endpoint))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
