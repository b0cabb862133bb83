# SPDX-License-Identifier: Apache-2.0
"""The HTTPRoute of a model: weights over its versions, and a header that pins one of them.

Every backend carries a filter. It tells the caller who answered (`x-served-by`), and it makes Envoy Gateway keep one
cluster, and so one set of metrics, per version instead of one per rule.
"""

from collections.abc import Mapping

from controller.objects.naming import Object, model_labels, new_object, version_name
from kelp.errors import InputError
from kelp.home import Home
from kelp.spec import Model

PIN_HEADER = "x-kelp-version"
SERVED_BY_HEADER = "x-served-by"
MOST_VERSIONS = 15  # Gateway API allows 16 rules: one pin per version and the split


def http_route(model: Model, weights: Mapping[int, int], home: Home) -> Object:
    """Build the route.

    Args:
        model: served under /v1/models/<name> and /v2/models/<name>.
        weights: percent of the requests per version; they sum to 100, and a version with 0 is reached by its pin only.
        home: its gateway is the route's parent.

    Raises:
        InputError: no version, too many, a version below 1, a negative weight, or another sum than 100.
    """
    _check(model, weights)
    route = new_object("gateway.networking.k8s.io/v1", "HTTPRoute", model.name, home, model_labels(model))
    versions = sorted(weights)
    pins = [
        {
            "name": f"pin-v{version}",
            "matches": [{**match, "headers": [_pin(version)]} for match in _matches(model)],
            "backendRefs": [_backend(model, version, weight=1)],
        }
        for version in versions
    ]
    split = {
        "name": "split",
        "matches": _matches(model),
        "backendRefs": [_backend(model, version, weights[version]) for version in versions],
    }
    route["spec"] = {"parentRefs": [_parent(home)], "rules": [*pins, split]}
    return route


def _check(model: Model, weights: Mapping[int, int]) -> None:
    place = f"weights of {model.name}"
    if not 1 <= len(weights) <= MOST_VERSIONS:
        raise InputError(f"expected 1 to {MOST_VERSIONS} versions, found {len(weights)}", place=place)
    if any(version < 1 or weight < 0 for version, weight in weights.items()):
        raise InputError(f"expected versions from 1 and weights from 0, found {dict(weights)}", place=place)
    if sum(weights.values()) != 100:
        raise InputError(f"expected weights that sum to 100, found {dict(weights)}", place=place)


def _parent(home: Home) -> Object:
    return {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "name": home.gateway.name,
        "namespace": home.gateway.namespace,
    }


def _matches(model: Model) -> list[Object]:
    """The model's paths; a prefix ends at a slash, so `:predict` has to be named."""
    return [
        {"path": {"type": "Exact", "value": f"/v1/models/{model.name}:predict"}},
        {"path": {"type": "PathPrefix", "value": f"/v1/models/{model.name}"}},
        {"path": {"type": "PathPrefix", "value": f"/v2/models/{model.name}"}},
    ]


def _pin(version: int) -> Object:
    return {"type": "Exact", "name": PIN_HEADER, "value": str(version)}


def _backend(model: Model, version: int, weight: int) -> Object:
    """KServe's Service of one version, and the header that names it."""
    name = version_name(model, version)
    header = {"set": [{"name": SERVED_BY_HEADER, "value": name}]}
    return {
        "group": "",
        "kind": "Service",
        "name": f"{name}-predictor",
        "port": 80,
        "weight": weight,
        "filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": header}],
    }
