# SPDX-License-Identifier: Apache-2.0
"""The compiled pipeline against its golden file, against other processes, and against the CRDs of Kubeflow Pipelines.

`UPDATE_GOLDENS=1` writes the golden file again. `KELP_CRDS` names a folder with the CRDs of pipelines.kubeflow.org.
"""

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from kelp.spec import load_model
from pipelines.compile import as_kubernetes, compile_model

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "golden" / "pipeline.yaml"
SPEC = HERE.parent / "golden" / "pipeline-spec.yaml"
IMAGE = "ghcr.io/kelp/components-python@sha256:" + "0f" * 32

_COMPILE = """
import sys
from pathlib import Path
from kelp.spec import load_model
from pipelines.compile import compile_model
sys.stdout.write(compile_model(load_model(Path(sys.argv[1]))))
"""


def test_the_compiled_pipeline_is_the_golden_one() -> None:
    text = compile_model(load_model(SPEC))
    if os.environ.get("UPDATE_GOLDENS") == "1":
        GOLDEN.write_text(text)

    assert list(yaml.safe_load_all(text)) == list(yaml.safe_load_all(GOLDEN.read_text()))


@pytest.mark.parametrize("seed", [pytest.param("1", id="one hash seed"), pytest.param("2", id="another")])
def test_other_processes_compile_the_same_bytes(seed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _COMPILE, str(SPEC)],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == compile_model(load_model(SPEC))


@pytest.mark.skipif("KELP_CRDS" not in os.environ, reason="KELP_CRDS is not set")
def test_the_objects_are_valid_against_the_crds() -> None:
    schemas = crd_schemas(Path(os.environ["KELP_CRDS"]))

    for found in as_kubernetes(load_model(SPEC), IMAGE, "team"):
        jsonschema.validate(found, schemas[found["kind"]])


def crd_schemas(folder: Path) -> dict[str, Any]:
    """The v2beta1 schema of each kind, closed: the API server would drop an unknown field silently."""
    schemas = {}
    for path in sorted(folder.rglob("pipelines.kubeflow.org_*.yaml")):
        crd = yaml.safe_load(path.read_text())["spec"]
        (version,) = (each for each in crd["versions"] if each["name"] == "v2beta1")
        schemas[crd["names"]["kind"]] = closed(version["schema"]["openAPIV3Schema"], top=True)
    return schemas


def closed(schema: Any, *, top: bool = False) -> Any:
    """The schema with additionalProperties refused wherever properties are listed; metadata is Kubernetes' own."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: closed(value) for key, value in copy.deepcopy(schema).items()}
    if top:
        result["properties"]["metadata"] = {"type": "object"}
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        result.setdefault("additionalProperties", False)
    return result
