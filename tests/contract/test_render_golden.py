# SPDX-License-Identifier: Apache-2.0
"""The objects that serve the fraud model during a canary, as a reviewer sees them; `UPDATE_GOLDENS=1` writes them."""

import os
from pathlib import Path

from controller.objects import cluster_serving_runtime
from controller.render import SERVING_IMAGE, serving_objects
from kelp.home import Images, load_home
from kelp.spec import load_model
from pipelines.compile import dump

CHECKOUT = Path(__file__).parents[2]
GOLDEN = CHECKOUT / "tests" / "golden" / "fraud-objects.yaml"
CLUSTER_RUNTIME = CHECKOUT / "manifests" / "features" / "cluster-runtime" / "clusterservingruntime.yaml"


def test_the_rendered_fraud_model_is_the_golden_one() -> None:
    model = load_model(CHECKOUT / "models" / "fraud.yaml")
    home = load_home(CHECKOUT / "manifests" / "base" / "home" / "home.toml")
    rendered = dump(serving_objects(model, home, {7: 95, 8: 5}))
    if os.environ.get("UPDATE_GOLDENS"):
        GOLDEN.write_text(rendered, encoding="utf-8")
    assert rendered == GOLDEN.read_text(encoding="utf-8")


def test_the_manifest_of_the_cluster_runtime_is_what_the_controller_makes() -> None:
    home = load_home(CHECKOUT / "manifests" / "base" / "home" / "home.toml")
    home = home.model_copy(update={"images": Images(serving=SERVING_IMAGE)})
    rendered = dump([cluster_serving_runtime(home)])
    if os.environ.get("UPDATE_GOLDENS"):
        CLUSTER_RUNTIME.write_text(rendered, encoding="utf-8")
    assert rendered == CLUSTER_RUNTIME.read_text(encoding="utf-8")
