# SPDX-License-Identifier: Apache-2.0
"""What `render` joins, and the homes it refuses."""

from pathlib import Path

import pytest

from controller.render import PIPELINE_IMAGE, render, serving_objects
from kelp.errors import InputError
from kelp.home import Home, Images
from kelp.spec import Model, load_model
from pipelines.compile import PLACEHOLDER

DIGEST = "0" * 64


def a_model() -> Model:
    return load_model(Path(__file__).parents[3] / "models" / "fraud.yaml")


def a_home(registry: str = "s3://kelp/registry/", serving: str = "") -> Home:
    return Home(
        data_root="s3://kelp/data",
        store="s3://kelp/store",
        registry=registry,
        audit="http://kelp-audit.kelp-system:8085",
        runs="/tmp/runs",
        keys="/etc/kelp-keys",
        images=Images(serving=serving),
    )


def kinds_and_names(objects: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [(item["kind"], item["metadata"]["name"]) for item in objects]  # type: ignore[index]  # JSON objects


def test_a_model_without_a_version_renders_version_1() -> None:
    assert kinds_and_names(serving_objects(a_model(), a_home())) == [
        ("ServingRuntime", "kelp"),
        ("InferenceService", "fraud-v1"),
        ("HTTPRoute", "fraud"),
    ]


def test_every_version_with_a_weight_gets_a_service_that_reads_its_directory() -> None:
    objects = serving_objects(a_model(), a_home(), {7: 95, 8: 5})
    addresses = [item["spec"]["predictor"]["model"]["storageUri"] for item in objects[1:-1]]
    assert addresses == ["s3://kelp/registry/fraud/7", "s3://kelp/registry/fraud/8"]


def test_the_pipeline_comes_first_and_is_named_by_its_content() -> None:
    kinds = kinds_and_names(render(a_model(), a_home()))
    assert kinds[0] == ("Pipeline", "fraud")
    assert kinds[1][0] == "PipelineVersion"
    assert [kind for kind, _ in kinds[2:]] == ["ServingRuntime", "InferenceService", "HTTPRoute"]


def test_both_placeholders_of_the_pipelines_image_are_one() -> None:
    assert PIPELINE_IMAGE == PLACEHOLDER


def test_the_image_is_the_homes_or_a_placeholder() -> None:
    image = f"localhost:5001/kelp-serving@sha256:{DIGEST}"
    for home, expected in ((a_home(serving=image), image), (a_home(), "kelp-serving")):
        assert serving_objects(a_model(), home)[0]["spec"]["containers"][0]["image"] == expected


@pytest.mark.parametrize(
    ("home", "place"),
    [
        pytest.param(a_home(registry="/home/ann/.kelp/registry"), "registry in home.toml", id="a laptop's registry"),
        pytest.param(a_home(serving="kelp-serving:latest"), "images.serving in home.toml", id="an image by tag"),
        pytest.param(a_home(serving=f"kelp-serving@sha256:{DIGEST}0"), "images.serving in home.toml", id="bad digest"),
    ],
)
def test_a_home_that_no_cluster_can_use_is_refused_with_the_field_and_a_fix(home: Home, place: str) -> None:
    with pytest.raises(InputError) as refusal:
        serving_objects(a_model(), home)
    assert refusal.value.place == place
    assert refusal.value.fix
