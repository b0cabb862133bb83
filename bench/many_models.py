# SPDX-License-Identifier: Apache-2.0
"""Ten thousand models in one process: `python -m bench.many_models` (about a minute).

Four models of trees, of about 100 kB each, are trained and exported; 10,000 version folders are hard links of their
files, and one server is given the folder of all. Requests of one row come for models by Zipf's law (exponent 1.1), one
after the other over one connection. A cold model is checked (every digest, the golden rows) and loaded; which request
met a cold one is known, as the server's policy of what stays in memory is run here beside it. Budgets: the 99th
percentile of a warm request at most 5 ms, of a cold one 50 ms, and the process at most 2 GiB at its peak.
"""

import http.client
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.servers import Server, runtime
from components.train.boosting_onnx import export_onnx
from kelp.frame.rows import columns_from_instances
from kelp.frame.scorer import Scorer
from kelp.frame.transform import Feature, RawColumn, Transform
from kelp.parquet import folder_digests
from serving.lru import Lru
from serving.source import Source, estimated_bytes

MODELS = 10_000
KINDS = 4
REQUESTS = 20_000
EXPONENT = 1.1
MEMORY_MIB = 1_400  # of the models; the libraries take the rest of the process's budget
WARM_MS, COLD_MS, PROCESS_MIB = 5.0, 50.0, 2048.0
_NAMES = tuple(f"x{position}" for position in range(12))
_ROWS_OF_GOLDEN = 32


def main() -> int:
    """Measure, print, and return 1 when over a budget."""
    with tempfile.TemporaryDirectory(prefix="kelp-many-models-") as name:
        folder = Path(name)
        sources = registered(folder / "models")
        asked = zipf(len(sources))
        budget = MEMORY_MIB * 2**20
        with runtime(folder, "--repository", str(folder / "models"), "--memory-bytes", str(budget)) as server:
            warm, cold = ask(server, [sources[position] for position in asked], Lru(budget))
            peak, ready = server.peak_mib(), server.ready_s
        size = float(np.mean([(source.folder / "model.onnx").stat().st_size for source in sources[:KINDS]]))
    warm_ms, cold_ms = (float(np.percentile(times, 99)) for times in (warm, cold))
    print(f"models                     {len(sources):9,}   of {size / 1e3:,.0f} kB on average")
    print(f"ready after start, s       {ready:9.2f}")
    print(f"requests                   {len(asked):9,}   for {len(set(asked)):,} of them")
    print(f"warm requests, p50 ms      {np.median(warm):9.3f}   {len(warm):,} of them")
    print(f"warm requests, p99 ms      {warm_ms:9.3f}   at most {WARM_MS:g}")
    print(f"cold requests, p50 ms      {np.median(cold):9.3f}   {len(cold):,} of them")
    print(f"cold requests, p99 ms      {cold_ms:9.3f}   at most {COLD_MS:g}")
    print(f"process at its peak, MiB   {peak:9.0f}   at most {PROCESS_MIB:g}")
    return 0 if warm_ms <= WARM_MS and cold_ms <= COLD_MS and peak <= PROCESS_MIB else 1


def ask(server: Server, sources: list[Source], lru: "Lru[str]") -> tuple[list[float], list[float]]:
    """Ask one row of each; the milliseconds of the warm and of the cold requests."""
    rows = np.random.default_rng(3).normal(size=(1_000, len(_NAMES))).tolist()
    bodies = [json.dumps({"instances": [dict(zip(_NAMES, row, strict=True))]}).encode() for row in rows]
    warm: list[float] = []
    cold: list[float] = []
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    for number, source in enumerate(sources):
        is_warm = source.name in lru
        if is_warm:
            lru.use(source.name)
        else:
            lru.take(source.name, estimated_bytes(source.folder))
        lru.release(source.name)
        start = time.perf_counter()
        path, headers = f"/v1/models/{source.name}:predict", {"content-type": "application/json"}
        connection.request("POST", path, bodies[number % len(bodies)], headers)
        answer = connection.getresponse()
        content = answer.read()
        (warm if is_warm else cold).append(1e3 * (time.perf_counter() - start))
        if answer.status != 200:
            raise RuntimeError(f"{source.name}: {content.decode()}")
    return warm, cold


def zipf(models: int) -> list[int]:
    """Positions of the models asked for; which ones are popular is drawn as well."""
    rng = np.random.default_rng(1)
    shares = np.arange(1, models + 1) ** -EXPONENT
    ranks = rng.choice(models, REQUESTS, p=shares / shares.sum())
    return [int(position) for position in rng.permutation(models)[ranks]]


def registered(folder: Path) -> list[Source]:
    """Write a few versions, and link all others to their files."""
    kinds = [write_version(folder.with_name(f"kind-{seed}"), seed) for seed in range(KINDS)]
    sources = []
    for number in range(MODELS):
        kind = kinds[number % len(kinds)]
        linked = folder / f"model-{number}" / "1"
        linked.mkdir(parents=True)
        for path in kind.iterdir():
            os.link(path, linked / path.name)
        sources.append(Source(f"model-{number}", 1, linked))
    return sources


def write_version(folder: Path, seed: int) -> Path:
    """Train a model of trees and write what a server reads of its version."""
    import xgboost

    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(4_000, len(_NAMES))).astype(np.float32)
    label = (rows[:, 0] * rows[:, 1] + rows[:, 2] + rng.normal(size=len(rows)) > 0).astype(np.int64)
    params: dict[str, Any] = {"objective": "binary:logistic", "max_depth": 5, "seed": seed, "nthread": 1}
    booster = xgboost.train(params, xgboost.DMatrix(rows, label=label), 60 + 5 * seed)
    transform = Transform(
        task="binary",
        classes=("false", "true"),
        columns=tuple(RawColumn(name=name, type="float", nullable=True) for name in _NAMES),
        features=tuple(Feature(name=name, column=name, kind="number") for name in _NAMES),
    )
    folder.mkdir()
    (folder / "transform.json").write_text(transform.to_json(), encoding="utf-8")
    (folder / "model.onnx").write_bytes(export_onnx(booster, transform))
    golden = rows[:_ROWS_OF_GOLDEN].astype(float).tolist()
    scorer = Scorer.load(folder)
    scores = scorer.score_columns(columns_from_instances(transform, golden)).astype(float).reshape(len(golden), -1)
    (folder / "golden.json").write_text(json.dumps({"columns": _NAMES, "rows": golden, "scores": scores.tolist()}))
    (folder / "manifest.json").write_text(json.dumps({"files": folder_digests(folder)}))
    return folder


if __name__ == "__main__":
    sys.exit(main())
