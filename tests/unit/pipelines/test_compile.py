# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
import yaml

from kelp.errors import InputError
from kelp.spec import Model, model_from_values
from pipelines.compile import PLACEHOLDER, as_kubernetes, check, compile_model, dump, image_argument

IMAGE = "ghcr.io/kelp/components-python@sha256:" + "0f" * 32


def a_model(seed: int = 7) -> Model:
    data = {"source": "data://x.csv", "target": "y", "positive": "1"}
    values = {
        "apiVersion": "kelp.dev/v1alpha1",
        "kind": "Model",
        "metadata": {"name": "fraud", "labels": {"domain": "finance"}},
    }
    return model_from_values({**values, "spec": {"task": "binary", "data": data, "train": {"seed": seed}}}, "test")


def images(text: str) -> set[str]:
    pipeline = next(iter(yaml.safe_load_all(text)))
    return {executor["container"]["image"] for executor in pipeline["deploymentSpec"]["executors"].values()}


def test_every_step_runs_the_given_image() -> None:
    assert images(compile_model(a_model(), IMAGE)) == {IMAGE}
    assert images(compile_model(a_model())) == {PLACEHOLDER}


def test_the_placeholder_draws_no_warning_from_kfp() -> None:
    assert "python" in PLACEHOLDER


@pytest.mark.parametrize(
    "image",
    [
        pytest.param("ghcr.io/kelp/components:latest", id="latest"),
        pytest.param("ghcr.io/kelp/components:1.2.3", id="tag"),
        pytest.param("ghcr.io/kelp/components", id="no tag"),
        pytest.param("ghcr.io/kelp/components@sha256:abc", id="short digest"),
        pytest.param("", id="empty"),
    ],
)
def test_a_movable_image_is_refused(image: str) -> None:
    with pytest.raises(InputError, match="image: expected an image by digest"):
        compile_model(a_model(), image)


def test_the_command_line_names_the_placeholder() -> None:
    assert image_argument(f"{PLACEHOLDER}={IMAGE}") == IMAGE
    for wrong in (IMAGE, f"other={IMAGE}", f"{PLACEHOLDER}=", ""):
        with pytest.raises(InputError, match="--image"):
            image_argument(wrong)


def test_check_shows_what_would_change(tmp_path: Path) -> None:
    committed = tmp_path / "fraud.yaml"
    committed.write_text(compile_model(a_model()))

    assert check(a_model(), committed) == ""
    diff = check(a_model(seed=8), committed)
    assert "-        defaultValue: 7.0\n" in diff
    assert "+        defaultValue: 8.0\n" in diff
    assert check(a_model(), tmp_path / "missing.yaml").startswith(f"--- {tmp_path / 'missing.yaml'}")


def test_objects_are_named_after_their_content() -> None:
    pipeline, version = as_kubernetes(a_model(), IMAGE, "team")
    _, same = as_kubernetes(a_model(), IMAGE, "team")
    _, other = as_kubernetes(a_model(seed=8), IMAGE, "team")

    assert pipeline["metadata"]["name"] == version["spec"]["pipelineName"] == "fraud"
    assert version["metadata"]["name"] == same["metadata"]["name"] != other["metadata"]["name"]
    assert version["metadata"]["name"].startswith("fraud-")
    for found in (pipeline, version):
        assert found["metadata"]["namespace"] == "team"
        assert found["metadata"]["labels"]["kelp.dev/model"] == "fraud"
        assert found["metadata"]["labels"]["domain"] == "finance"
    assert version["spec"]["pipelineSpec"]["pipelineInfo"]["name"] == "fraud-pipeline"
    assert "kubernetes" in version["spec"]["platformSpec"]["platforms"]


def test_lines_stay_lines_and_no_anchor_is_written() -> None:
    shared = ["a"]

    text = dump([{"b": "one\ntwo\n", "a": shared, "c": shared}])

    assert text == "a:\n- a\nb: |\n  one\n  two\nc:\n- a\n"
