# SPDX-License-Identifier: Apache-2.0
"""The components' image does what a cluster asks of it: a compiled step runs in it, as nobody, without a network.

`KELP_IMAGE` names an image that is built already; without it the test builds one, which needs a network.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kelp.home import ensure_home
from kelp.spec import Model, model_from_values
from pipelines.compile import compile_model
from tests.contract.containers import (
    CHECKOUT,
    check_there_is_nobody_to_build_or_install,
    image_of,
    in_container,
    is_importable,
    open_to_all,
)

DOCKERFILE = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8")

needs_a_build = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def image() -> str:
    return image_of("components,pipelines", built="KELP_IMAGE")


def a_model() -> Model:
    data = {"source": "data://pay/*.csv", "target": "bad", "positive": "yes"}
    spec = {"task": "binary", "data": data}
    return model_from_values(
        {"apiVersion": "kelp.dev/v1alpha1", "kind": "Model", "metadata": {"name": "pay"}, "spec": spec}, "test"
    )


def a_cluster(folder: Path) -> None:
    """A home with data, open to the container's user, who is somebody else."""
    ensure_home(folder / "home")
    (folder / "data" / "pay").mkdir(parents=True)
    rows = "".join(f"{number},{'yes' if number % 7 == 0 else 'no'}\n" for number in range(1, 101))
    (folder / "data" / "pay" / "rows.csv").write_text("amount,bad\n" + rows)
    (folder / "out").mkdir()
    open_to_all(folder)


def first_step(model: Model) -> list[str]:
    """The command of the compiled step `ingest`, with KFP's input filled in as its launcher does."""
    compiled = next(yaml.safe_load_all(compile_model(model)))
    container = compiled["deploymentSpec"]["executors"]["exec-ingest"]["container"]
    snapshot: dict[str, Any] = {
        "name": "snapshot",
        "type": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"},
        "uri": "/work/out/snapshot",
        "metadata": {},
    }
    executor_input = {
        "inputs": {"parameterValues": {"spec": model.to_json(), "run": "run-1", "source": ""}},
        "outputs": {
            "artifacts": {"snapshot": {"artifacts": [snapshot]}},
            "outputFile": "/work/out/executor_output.json",
        },
    }
    filled = [part.replace("{{$}}", json.dumps(executor_input)) for part in container["args"]]
    return [*container["command"], *filled]


@needs_a_build
def test_a_compiled_step_runs_in_the_image(image: str, tmp_path: Path) -> None:
    a_cluster(tmp_path)
    mounts = (f"{tmp_path}:/work", f"{tmp_path / 'home'}:/etc/kelp", f"{tmp_path / 'data'}:/etc/data:ro")
    finished = in_container(image, *first_step(a_model()), mounts=mounts)
    assert finished.returncode == 0, finished.stdout[-4000:] + finished.stderr[-4000:]
    ingested = json.loads((tmp_path / "out" / "snapshot" / "ingest.json").read_text())
    assert (ingested["rows"], ingested["quarantined"]) == (100, 0)


@needs_a_build
def test_the_image_runs_as_nobody_and_holds_no_tool_to_build_or_install(image: str) -> None:
    check_there_is_nobody_to_build_or_install(image)


@needs_a_build
@pytest.mark.parametrize(
    "module",
    [pytest.param("torch", id="torch"), pytest.param("alibi_detect", id="alibi_detect")],
)
def test_the_image_does_not_hold_what_its_steps_do_not_use(image: str, module: str) -> None:
    assert not is_importable(image, module)


@needs_a_build
def test_the_audit_service_starts_from_the_same_image(image: str) -> None:
    assert "--home" in in_container(image, "python", "-m", "kelp.audit", "--help").stdout


def test_the_last_user_is_a_number_that_is_not_root() -> None:
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert users[-1] == "10001:10001"  # by number: Kubernetes cannot check runAsNonRoot against a name


def test_the_base_is_an_argument_with_a_version() -> None:
    assert "ARG PYTHON_IMAGE=python:3.11-slim-bookworm" in DOCKERFILE
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${PYTHON_IMAGE}"}


def test_the_build_takes_only_what_the_images_install() -> None:
    lines = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert [line for line in lines if line and not line.startswith(("#", "!"))] == ["*", "**/__pycache__"]
    assert all((CHECKOUT / name).exists() for name in kept)
    assert not {".git", ".venv", ".kelp", "data", "tests"} & set(kept)
