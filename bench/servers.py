# SPDX-License-Identifier: Apache-2.0
"""The processes of `bench.serving`: the two servers on core 1, the sink of the prediction log beside the load."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

WIDTH = 30
NAMES = tuple(f"f{position}" for position in range(WIDTH))

TREES = 300
_TRAINING_ROWS = 50_000
_SERVER_CORE = 1
_READY_S = 60


@dataclass(frozen=True, slots=True)
class Server:
    """A process that answers; `ready_s` is how long it took until it did."""

    name: str
    port: int
    grpc_port: int
    pid: int
    ready_s: float

    def get(self, path: str) -> bytes:
        """The body of a GET."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return bytes(answer.read())

    def ask(self, request: bytes) -> bytes:
        """The body of the answer to one request."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(request.replace(b"host:", b"connection: close\r\nhost:", 1))
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        return answer.partition(b"\r\n\r\n")[2]

    def cpu_s(self) -> float:
        """Its processor time so far, user's and system's, of all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mib(self) -> float:
        """The memory that it holds now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE") / 2**20

    def peak_mib(self) -> float:
        """The most memory that it has held."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        lines = self.get("/metrics").decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.split("{")[0].split(" ")[0] == name)


def write_example(folder: Path) -> tuple[Any, Any]:
    """Train, and write `booster.ubj` and the version directory `1`; returns rows and xgboost's scores of them."""
    import xgboost

    from components.train.boosting_onnx import export_onnx
    from kelp.frame.rows import columns_from_instances
    from kelp.frame.scorer import Scorer
    from kelp.frame.transform import Transform

    rng = np.random.default_rng(3)
    rows = rng.normal(size=(_TRAINING_ROWS, WIDTH)).astype(np.float32)
    signal = rows[:, :10].sum(axis=1) + 2 * rows[:, 0] * rows[:, 1] + rng.normal(size=len(rows))
    settings = {"max_depth": 6, "eta": 0.1, "objective": "binary:logistic", "verbosity": 0, "seed": 7}
    booster = xgboost.train(settings, xgboost.DMatrix(rows, signal > 1), num_boost_round=TREES)
    booster.save_model(folder / "booster.ubj")
    transform = Transform.model_validate(
        {
            "task": "binary",
            "classes": ("no", "yes"),
            "columns": tuple({"name": name, "type": "float", "nullable": True} for name in NAMES),
            "features": tuple({"name": name, "column": name, "kind": "number"} for name in NAMES),
        }
    )
    version = folder / "1"
    version.mkdir()
    (version / "transform.json").write_text(transform.to_json(), encoding="utf-8")
    (version / "model.onnx").write_bytes(export_onnx(booster, transform))
    golden = [dict(zip(NAMES, row, strict=True)) for row in rows[:10].tolist()]
    found = Scorer.load(version).score_columns(columns_from_instances(transform, golden)).reshape(-1, 1).tolist()
    content = {"columns": NAMES, "rows": [list(row.values()) for row in golden], "scores": found}
    (version / "golden.json").write_text(json.dumps(content), encoding="utf-8")
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in version.iterdir()}
    (version / "manifest.json").write_text(json.dumps({"files": files}), encoding="utf-8")
    return rows[:100], booster.predict(xgboost.DMatrix(rows[:100]))


@contextmanager
def sink() -> Iterator[str]:
    """Run the sink beside the load; its URL."""
    port = free_port()
    with _process([sys.executable, "-m", "bench.sink", str(port)], Path(os.devnull)):
        yield f"http://127.0.0.1:{port}/events"


@contextmanager
def stock(folder: Path) -> Iterator[Server]:
    """Run the peer, as it comes: with its log of accesses and latencies, to a file."""
    ports = free_port(), free_port()
    command = ["bench.stock", "--http_port", str(ports[0]), "--grpc_port", str(ports[1])]
    with _server("stock", ports, [*command, "--booster", str(folder / "booster.ubj")], folder) as server:
        yield server


@contextmanager
def ours(folder: Path, log_url: str) -> Iterator[Server]:
    """Run kelp's server of the version in `folder / "1"`, with its prediction log."""
    with runtime(folder, "--model", f"kelp={folder / '1'}=1", "--log-url", log_url) as server:
        yield server


@contextmanager
def runtime(folder: Path, *arguments: str) -> Iterator[Server]:
    """Run kelp's server with these arguments; what it says goes to a file in `folder`."""
    ports = free_port(), free_port()
    command = ["serving.runtime", "--http-port", str(ports[0]), "--grpc-port", str(ports[1]), *arguments]
    with _server("kelp", ports, command, folder) as server:
        yield server


@contextmanager
def _server(name: str, ports: tuple[int, int], arguments: Sequence[str], folder: Path) -> Iterator[Server]:
    started = time.perf_counter()
    with _process([sys.executable, "-m", *arguments], folder / f"{name}.log", _SERVER_CORE) as process:
        while True:
            if process.poll() is not None or time.perf_counter() - started > _READY_S:
                raise RuntimeError(f"{name} does not answer: {(folder / f'{name}.log').read_text()[-2000:]}")
            found = Server(name, *ports, process.pid, time.perf_counter() - started)
            try:
                found.get("/v2/health/ready")
                break
            except OSError:
                time.sleep(0.02)
        yield found


@contextmanager
def _process(command: Sequence[str], log: Path, core: int | None = None) -> Iterator["subprocess.Popen[bytes]"]:
    cores = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})  # what is started inherits it
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output)
    finally:
        os.sched_setaffinity(0, cores)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
