# SPDX-License-Identifier: Apache-2.0
"""All objects of a model on a cluster, ready for `kubectl apply --server-side`. Pure; applies nothing."""

import re
from collections.abc import Mapping

from controller.objects import http_route, inference_service, serving_runtime
from controller.objects.naming import Object
from kelp.errors import InputError
from kelp.home import Home, Images
from kelp.spec import Model

FIRST_VERSION = {1: 100}
PIPELINE_IMAGE = "kelp-components-python"  # the placeholders of files that are committed or only looked at
SERVING_IMAGE = "kelp-serving"

_BY_DIGEST = re.compile(r"^[a-z0-9][a-z0-9._/:-]*@sha256:[0-9a-f]{64}$")


def render(
    model: Model, home: Home, *, image: str = PIPELINE_IMAGE, weights: Mapping[int, int] = FIRST_VERSION
) -> list[Object]:
    """Build the objects that train a model, then those that serve it, in the order in which they are applied.

    Args:
        model: a checked spec.
        home: a cluster's home.
        image: of the pipeline's steps, by digest or the placeholder.
        weights: as for `serving_objects`.

    Raises:
        InputError: as `serving_objects`; or the pipeline's image or resources are wrong.
    """
    from pipelines.compile import as_kubernetes

    serving = serving_objects(model, home, weights)
    return [*as_kubernetes(model, image, home.kfp.namespace), *serving]


def serving_objects(model: Model, home: Home, weights: Mapping[int, int] = FIRST_VERSION) -> list[Object]:
    """Build the objects that serve a model: the runtime, one InferenceService per version, the route.

    Args:
        model: a checked spec.
        home: a cluster's home; without `images.serving` a placeholder stands for the server's image.
        weights: percent of the requests per version. Without it version 1 gets all, so that a model can be rendered
            before its first version exists.

    Raises:
        InputError: the home is not a cluster's, its image is named by a tag, or the weights are wrong.
    """
    home = _cluster_home(home)
    versions = [
        inference_service(model, version, home, f"{home.registry.rstrip('/')}/{model.name}/{version}")
        for version in sorted(weights)
    ]
    return [serving_runtime(home), *versions, http_route(model, weights, home)]


def _cluster_home(home: Home) -> Home:
    """Check that a cluster can use this home, and fill in the placeholder image."""
    if not home.registry.startswith("s3://"):
        raise InputError(
            f"expected an s3:// address that a cluster reaches, found {home.registry}",
            place="registry in home.toml",
            fix="name the cluster's home: kelp --home manifests/base/home/home.toml render ...",
        )
    image = home.images.serving or SERVING_IMAGE
    if image != SERVING_IMAGE and not _BY_DIGEST.match(image):
        raise InputError(
            f"expected an image by digest, found {image!r}",
            place="images.serving in home.toml",
            fix="registry/path@sha256:<64 hexadecimal digits>; a tag can move under a running model",
        )
    return home.model_copy(update={"images": Images(components=home.images.components, serving=image)})
