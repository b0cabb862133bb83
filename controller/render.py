# SPDX-License-Identifier: Apache-2.0
"""Everything that serves a model on a cluster, ready for `kubectl apply --server-side`. Pure; applies nothing.

The pipeline's objects are not here: they come from `pipelines.compile.as_kubernetes`, and the command line joins both.
"""

import re
from collections.abc import Mapping

from controller.objects import http_route, inference_service, serving_runtime
from controller.objects.naming import Object
from kelp.errors import InputError
from kelp.home import Home
from kelp.spec import Model

FIRST_VERSION = {1: 100}

_BY_DIGEST = re.compile(r"^\S+@sha256:[0-9a-f]{64}$")


def render(model: Model, home: Home, weights: Mapping[int, int] = FIRST_VERSION) -> list[Object]:
    """Build the model's objects in the order in which they are applied: runtime, versions, route.

    Args:
        model: a checked spec.
        home: a cluster's home.
        weights: percent of the requests per version; without it version 1 gets all, so that a model can be rendered
            before its first version exists.

    Raises:
        InputError: the home is not a cluster's, or the weights are wrong.
    """
    _check_cluster_home(home)
    versions = [
        inference_service(model, version, home, f"{home.registry.rstrip('/')}/{model.name}/{version}")
        for version in sorted(weights)
    ]
    return [serving_runtime(home), *versions, http_route(model, weights, home)]


def _check_cluster_home(home: Home) -> None:
    if not home.registry.startswith("s3://"):
        raise InputError(
            f"expected an s3:// address that a cluster reaches, found {home.registry}",
            place="registry in home.toml",
            fix="pass the home of the cluster; manifests/base/home/home.toml is one",
        )
    if not _BY_DIGEST.match(home.images.serving):
        raise InputError(
            f"expected an image by digest, found {home.images.serving!r}",
            place="images.serving in home.toml",
            fix='serving = "registry/kelp-serving@sha256:..."; a tag can move under a running model',
        )
