# SPDX-License-Identifier: Apache-2.0
import json
from typing import Any

import pytest
import yaml
from kfp import components

from kelp.errors import InputError
from kelp.spec import Model, model_from_json, model_from_values
from pipelines.compile import compile_model
from pipelines.graph import spec_constant

STEPS = ["evaluate", "ingest", "package", "prepare", "register", "train"]


def a_model(purpose: str = "", name: str = "fraud", **train: Any) -> Model:
    data = {"source": "data://x.csv", "target": "y", "positive": "1"}
    values = {"apiVersion": "kelp.dev/v1alpha1", "kind": "Model", "metadata": {"name": name}}
    return model_from_values(
        {**values, "spec": {"task": "binary", "purpose": purpose, "data": data, "train": train}}, "test"
    )


def compiled(model: Model) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pipeline document and the executors of the Kubernetes one."""
    pipeline, platform = yaml.safe_load_all(compile_model(model))
    return pipeline, platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


def test_the_graph_is_flat_and_every_task_gets_the_spec_and_the_run() -> None:
    model = a_model()
    tasks = compiled(model)[0]["root"]["dag"]["tasks"]

    assert sorted(tasks) == STEPS
    for task in tasks.values():
        assert "triggerPolicy" not in task
        parameters = task["inputs"]["parameters"]
        assert model_from_json(parameters["spec"]["runtimeValue"]["constant"]) == model
        assert parameters["run"]["runtimeValue"]["constant"] == "{{$.pipeline_job_uuid}}"


def test_people_see_three_described_parameters() -> None:
    parameters = compiled(a_model(seed=11))[0]["root"]["inputDefinitions"]["parameters"]

    assert {name: found["defaultValue"] for name, found in parameters.items()} == {
        "reason": "manual",
        "source": "",
        "seed": 11,
    }
    assert all(found["description"] and found["isOptional"] for found in parameters.values())


@pytest.mark.parametrize("name", [pytest.param(step, id=step) for step in STEPS])
def test_a_model_may_be_called_like_a_step(name: str) -> None:
    loaded = components.load_component_from_text(compile_model(a_model(name=name)))

    assert sorted(loaded.component_spec.inputs) == ["reason", "seed", "source"]


def test_nothing_is_cached_and_every_step_has_its_home() -> None:
    pipeline, executors = compiled(a_model())

    assert all(task["cachingOptions"] == {} for task in pipeline["root"]["dag"]["tasks"].values())
    for step in STEPS:
        (home,) = executors[f"exec-{step}"]["configMapAsVolume"]
        (keys,) = executors[f"exec-{step}"]["secretAsVolume"]
        assert (home["configMapName"], home["mountPath"]) == ("kelp-home", "/etc/kelp")
        assert (keys["secretName"], keys["mountPath"]) == ("kelp-keys", "/etc/kelp-keys")


def test_only_training_gets_resources_nodes_and_tolerations() -> None:
    model = a_model(
        resources={"requests": {"cpu": "2", "memory": "4Gi"}, "limits": {"memory": "8Gi", "nvidia.com/gpu": 1}},
        nodeSelector={"pool": "gpu"},
        tolerations=[{"key": "gpu", "operator": "Exists", "effect": "NoSchedule", "tolerationSeconds": 30}],
    )
    pipeline, executors = compiled(model)

    containers = {name: each["container"] for name, each in pipeline["deploymentSpec"]["executors"].items()}
    assert [name for name, container in containers.items() if "resources" in container] == ["exec-train"]
    resources = containers["exec-train"]["resources"]
    assert (resources["resourceCpuRequest"], resources["resourceMemoryRequest"]) == ("2", "4Gi")
    assert resources["resourceMemoryLimit"] == "8Gi"
    assert resources["accelerator"]["resourceType"] == "nvidia.com/gpu"
    assert resources["accelerator"]["resourceCount"] == "1"
    assert executors["exec-train"]["nodeSelector"] == {"labels": {"pool": "gpu"}}
    (toleration,) = executors["exec-train"]["tolerations"]
    assert toleration == {"key": "gpu", "operator": "Exists", "effect": "NoSchedule", "tolerationSeconds": "30"}
    assert not any("tolerations" in executors[f"exec-{step}"] for step in STEPS if step != "train")


@pytest.mark.parametrize(
    ("train", "message"),
    [
        pytest.param(
            {"resources": {"requests": {"memory": "0.5Gi"}}},
            r"spec\.train\.resources\.requests\.memory: KFP refuses '0\.5Gi'",
            id="quantity",
        ),
        pytest.param(
            {"resources": {"limits": {"amd.com/gpu": 1}}},
            r"spec\.train\.resources\.limits\.amd\.com/gpu: expected cpu, memory or nvidia\.com/gpu",
            id="resource",
        ),
        pytest.param(
            {"tolerations": [{"kee": "gpu"}]}, r"spec\.train\.tolerations\[0\]: unknown field kee", id="field"
        ),
        pytest.param(
            {"tolerations": [{"operator": "Maybe"}]},
            r"tolerations\[0\]\.operator: expected Equal or Exists, got 'Maybe'",
            id="operator",
        ),
        pytest.param(
            {"tolerations": [{"tolerationSeconds": "30"}]}, "tolerationSeconds: expected int, got '30'", id="type"
        ),
    ],
)
def test_what_kfp_cannot_express_is_refused(train: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        compile_model(a_model(**train))


def test_no_text_of_the_spec_is_taken_for_a_placeholder() -> None:
    model = a_model(purpose="Scores {{$.inputs}} and {{workflow.name}}")

    assert "{{" not in spec_constant(model)
    assert model_from_json(spec_constant(model)) == model
    assert json.loads(spec_constant(model))["spec"]["purpose"] == "Scores {{$.inputs}} and {{workflow.name}}"
    assert "{{" not in compiled(model)[0]["pipelineInfo"]["description"]
