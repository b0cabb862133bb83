# SPDX-License-Identifier: Apache-2.0
"""package: the version directory, complete and checked, without its number. Never a pickle."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kelp.frame.arrow import columns_from_table
from kelp.frame.instances import instances_from_table
from kelp.frame.scorer import Scorer
from kelp.home import Home
from kelp.parquet import folder_digests
from kelp.registry import Registry
from kelp.runs.code import code_digest, package_versions
from kelp.spec import Model

__all__ = ["package"]

GOLDEN_ROWS = 32
HISTORY = "history.parquet"  # only of a model with windows
_FROM = {
    "snapshot": ("ingest.json",),
    "prepared": ("transform.json", "reference.parquet"),
    "trained": ("model.onnx",),
    "evaluation": ("evaluation.json", "report.html"),
}
_SUMMARIES = {
    "snapshot": "ingest.json",
    "prepared": "prepare.json",
    "trained": "train.json",
    "evaluation": "evaluation.json",
}


def package(
    model: Model,
    home: Home,
    run_id: str,
    reason: str,
    steps: dict[str, Path],
    packaged: Path,
) -> dict[str, Any]:
    """Write the version directory: model, transform, reference, history, golden answers, reports and manifest.

    Args:
        model: its spec goes along as spec.json.
        home: has the registry, which knows the parent version.
        run_id: of the run that made it.
        reason: why that run was started.
        steps: the output folders of ingest, prepare, train and evaluate, by the names snapshot, prepared,
            trained and evaluation.
        packaged: an existing, empty folder.

    Returns:
        The manifest: lineage, metrics, gates and the digest of every file.

    Raises:
        IntegrityError: the model and the transform do not fit, or do not answer their own golden rows.
    """
    _copy(steps, packaged)
    (packaged / "spec.json").write_text(model.to_json(), encoding="utf-8")
    scorer = Scorer.load(packaged)
    write_golden(scorer, packaged)
    scorer.check_golden(packaged)
    registry = Registry.open(home, f"run:{run_id}")
    with registry.log:
        parent = registry.champion(model.name)
    manifest = {
        "format": "kelp.dev/version/v1",
        "model": model.name,
        "task": model.spec.task,
        "run": run_id,
        "reason": reason,
        "parent": parent,
        "spec": model.digest,
        "code": code_digest(),
        "packages": package_versions(),
        **_lineage(steps),
        "files": folder_digests(packaged),
    }
    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False)
    (packaged / "manifest.json").write_text(text, encoding="utf-8")
    return manifest


def _copy(steps: Mapping[str, Path], packaged: Path) -> None:
    """Copy what the steps before made of the version."""
    names = dict(_FROM)
    names["trained"] += tuple(json.loads((steps["trained"] / "train.json").read_text(encoding="utf-8"))["files"])
    if (steps["prepared"] / HISTORY).exists():
        names["prepared"] += (HISTORY,)
    for step, copied in names.items():
        for name in copied:
            shutil.copyfile(steps[step] / name, packaged / name)


def _lineage(steps: Mapping[str, Path]) -> dict[str, Any]:
    """What the manifest takes from the steps before."""
    ingest, prepare, train, evaluation = (
        json.loads((steps[step] / name).read_text(encoding="utf-8")) for step, name in _SUMMARIES.items()
    )
    return {
        "snapshot": ingest["digest"],
        "prepared": prepare["digest"],
        "seed": train["seed"],
        "result": evaluation["result"],
        "metrics": evaluation["systems"]["candidate"]["metrics"],
        "gates": evaluation["gates"],
    }


def write_golden(scorer: Scorer, packaged: Path) -> None:
    """Write golden.json: the first rows of the reference as requests, windows included, and their scores.

    The scores are those of the table's rows: `Scorer.check_golden` then finds a request that is read otherwise.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(packaged / "reference.parquet") as file:
        table = file.read().slice(0, GOLDEN_ROWS)
    instances = instances_from_table(scorer.transform, table)
    scores = scorer.score_columns(columns_from_table(scorer.transform, table))
    golden = {
        "columns": list(instances[0]),
        "rows": [list(instance.values()) for instance in instances],
        "scores": scores.astype(float).reshape(len(instances), -1).tolist(),
    }
    (packaged / "golden.json").write_text(json.dumps(golden, ensure_ascii=False), encoding="utf-8")
