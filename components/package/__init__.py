# SPDX-License-Identifier: Apache-2.0
"""package: the version directory, complete and checked, without its number. Never a pickle."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from components.package.onnx import export_onnx
from kelp.errors import IntegrityError
from kelp.frame.arrow import columns_from_table
from kelp.frame.instances import instances_from_table
from kelp.frame.scorer import Scorer
from kelp.frame.transform import Transform
from kelp.home import Home
from kelp.parquet import folder_digests
from kelp.registry import Registry
from kelp.runs.code import code_digest, package_versions
from kelp.spec import Model

__all__ = ["package"]

GOLDEN_ROWS = 32
TOLERANCE = 1e-5
_FROM = {
    "trained": ("model.ubj",),
    "prepared": ("transform.json", "reference.parquet"),
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
    """Write the version directory: model, transform, reference, golden answers, report and manifest.

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
        IntegrityError: the exported model does not answer as the trained one, or a request not as the reference's row.
    """
    for step, names in _FROM.items():
        for name in names:
            shutil.copyfile(steps[step] / name, packaged / name)
    (packaged / "spec.json").write_text(model.to_json(), encoding="utf-8")
    transform = Transform.from_json((packaged / "transform.json").read_bytes())
    export_onnx(packaged / "model.ubj", transform, packaged / "model.onnx")
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
    """Write golden.json and hold the exported model against the trained one on the whole reference.

    Raises:
        IntegrityError: an answer differs by more than `TOLERANCE` of the largest one, or of 1 if that is more.
    """
    import pyarrow.parquet as pq
    import xgboost

    transform = scorer.transform
    table = pq.read_table(packaged / "reference.parquet")
    matrix = transform.apply(columns_from_table(transform, table))
    expected = xgboost.Booster(model_file=packaged / "model.ubj").inplace_predict(matrix)
    scores = scorer.score(matrix)
    # Trees are added up in float32: where they cancel out, the error is as large as elsewhere, and the score is not.
    difference = float(np.max(np.abs(scores - expected)) / max(1.0, float(np.max(np.abs(expected)))))
    if difference > TOLERANCE:
        raise IntegrityError(
            f"expected the ONNX model to answer as the trained one within {TOLERANCE:g}, found {difference:g}",
            place=str(packaged / "model.onnx"),
            fix="report it with spec.train.params: the export does not support one of them",
        )
    instances = instances_from_table(transform, table.slice(0, GOLDEN_ROWS))
    golden = {
        "columns": [column.name for column in transform.columns],
        "rows": [list(instance.values()) for instance in instances],
        "scores": scores[:GOLDEN_ROWS].astype(float).reshape(len(instances), -1).tolist(),
    }
    (packaged / "golden.json").write_text(json.dumps(golden, ensure_ascii=False), encoding="utf-8")
