# SPDX-License-Identifier: Apache-2.0
"""Names, labels and the frame that all objects share."""

from typing import Any

from kelp.home import Home
from kelp.spec import Model

Object = dict[str, Any]

MODEL_LABEL = "kelp.dev/model"
VERSION_LABEL = "kelp.dev/version"
NAME_LABEL = "app.kubernetes.io/name"
COMPONENT_LABEL = "app.kubernetes.io/component"
PART_OF_LABEL = "app.kubernetes.io/part-of"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"

RUNTIME = "kelp"  # the ServingRuntime's name
SERVER_ACCOUNT = "kelp-model-server"  # ServiceAccount of the model servers, see manifests/base/models
KEYS_SECRET = "kelp-keys"
HOME_CONFIG_MAP = "kelp-home"


def version_name(model: Model, version: int) -> str:
    """Name of a version's InferenceService, such as fraud-v3; at most 63 characters with KServe's suffixes."""
    return f"{model.name}-v{version}"


def model_labels(model: Model) -> dict[str, str]:
    """Labels of everything that belongs to one model: the spec's own, then ours, which win."""
    return {**model.metadata.labels, **platform_labels(model.name, "model"), MODEL_LABEL: model.name}


def platform_labels(name: str, component: str) -> dict[str, str]:
    """The recommended labels of Kubernetes."""
    return {
        NAME_LABEL: name,
        COMPONENT_LABEL: component,
        PART_OF_LABEL: "kelp",
        MANAGED_BY_LABEL: "kelp",
    }


def new_object(api_version: str, kind: str, name: str, home: Home, labels: dict[str, str]) -> Object:
    """An object without a spec, in the namespace where the home's models live."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": home.kfp.namespace, "labels": labels},
    }
