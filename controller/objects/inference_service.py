# SPDX-License-Identifier: Apache-2.0
"""One KServe InferenceService per version.

KServe makes its Deployment and Service but no route (the visibility label): `http_route` splits the traffic, on every
release of KServe. The autoscaler class `none` keeps the replicas at the spec's number instead of an autoscaler's.
"""

from typing import Any

from controller.objects.naming import (
    MODEL_LABEL,
    RUNTIME,
    SERVER_ACCOUNT,
    VERSION_LABEL,
    Object,
    model_labels,
    new_object,
    version_name,
)
from kelp.home import Home
from kelp.spec import Model

ANNOTATIONS = {
    "serving.kserve.io/deploymentMode": "Standard",
    "serving.kserve.io/autoscalerClass": "none",
    "serving.kserve.io/enable-prometheus-scraping": "true",
}
NO_ROUTE = {"networking.kserve.io/visibility": "cluster-local"}


def inference_service(model: Model, version: int, home: Home, storage_uri: str) -> Object:
    """Build the InferenceService of one version.

    Args:
        model: its `spec.serve` decides replicas and resources.
        version: >= 1.
        home: its `kfp.namespace` is where models live.
        storage_uri: the version's directory, such as s3://bucket/registry/fraud/3; KServe mounts it at /mnt/models.
    """
    labels = {**model_labels(model), VERSION_LABEL: str(version)}
    name = version_name(model, version)
    service = new_object("serving.kserve.io/v1beta1", "InferenceService", name, home, {**labels, **NO_ROUTE})
    service["metadata"]["annotations"] = dict(ANNOTATIONS)
    service["spec"] = {"predictor": _predictor(model, version, storage_uri)}
    return service


def _predictor(model: Model, version: int, storage_uri: str) -> Object:
    serve = model.spec.serve
    return {
        "minReplicas": serve.replicas,
        "maxReplicas": serve.replicas,
        "labels": {MODEL_LABEL: model.name, VERSION_LABEL: str(version)},
        "serviceAccountName": SERVER_ACCOUNT,
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "model": {
            "modelFormat": {"name": RUNTIME, "version": "1"},
            "runtime": RUNTIME,
            "protocolVersion": "v2",
            "storageUri": storage_uri,
            # {{.Name}} in the runtime would be fraud-v3; clients ask for fraud, whatever the version.
            "args": [f"--model-name={model.name}", f"--version={version}"],
            **_resources(model),
        },
    }


def _resources(model: Model) -> dict[str, Any]:
    """Only what the spec states; the runtime has defaults for the rest."""
    resources = model.spec.serve.resources
    stated = {"requests": dict(resources.requests), "limits": dict(resources.limits)}
    kept = {kind: quantities for kind, quantities in stated.items() if quantities}
    return {"resources": kept} if kept else {}
