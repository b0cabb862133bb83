# SPDX-License-Identifier: Apache-2.0
"""The KServe ServingRuntime: how a pod of kelp's model server looks, for all models of a namespace."""

from controller.objects.naming import KEYS_SECRET, RUNTIME, Object, new_object, platform_labels
from kelp.home import PSEUDONYM_KEY, SIGNING_PUBLIC_KEY, Home

PORT = 8080
MODEL_FOLDER = "/mnt/models"  # where KServe puts the files of storageUri
KEY_FOLDER = "/etc/kelp-keys"
_KEYS = (SIGNING_PUBLIC_KEY, PSEUDONYM_KEY)


def serving_runtime(home: Home) -> Object:
    """Build the runtime; its image is the home's `images.serving`.

    `register` signs every version, so on a cluster every version is verified before it is loaded, whatever
    `serve.verify` says. A pod gets the public signing key and the key of pseudonyms, under which a model with rolling
    features knows an entity again, and can write to /tmp only.
    """
    runtime = new_object(
        "serving.kserve.io/v1alpha1", "ServingRuntime", RUNTIME, home, platform_labels(RUNTIME, "model-server")
    )
    runtime["spec"] = {
        "annotations": {"prometheus.kserve.io/port": str(PORT), "prometheus.kserve.io/path": "/metrics"},
        "supportedModelFormats": [{"name": RUNTIME, "version": "1", "autoSelect": False}],
        "protocolVersions": ["v1", "v2"],
        "containers": [_container(home)],
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
            {"name": "keys", "secret": _server_keys()},
        ],
    }
    return runtime


def _container(home: Home) -> Object:
    return {
        "name": "kserve-container",  # KServe looks for this name
        "image": home.images.serving,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", "serving.runtime"],
        "args": [
            f"--model-dir={MODEL_FOLDER}",
            "--host=0.0.0.0",
            f"--http-port={PORT}",
            f"--public-key={KEY_FOLDER}/{SIGNING_PUBLIC_KEY}",
            f"--pseudonym-key={KEY_FOLDER}/{PSEUDONYM_KEY}",
        ],
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        # Not /v2/models/{{.Name}}/ready: that name has the version in it, the model's URL has not.
        "startupProbe": {**_probe("/v2/health/ready"), "periodSeconds": 2, "failureThreshold": 60},
        "readinessProbe": {**_probe("/v2/health/ready"), "periodSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**_probe("/v2/health/live"), "periodSeconds": 10, "failureThreshold": 3},
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "2Gi"}},
        "securityContext": {
            "runAsNonRoot": True,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "keys", "mountPath": KEY_FOLDER, "readOnly": True},
        ],
    }


def _probe(path: str) -> Object:
    return {"httpGet": {"path": path, "port": PORT}, "timeoutSeconds": 2}


def _server_keys() -> Object:
    """The two keys a server needs; a pod does not start without them."""
    return {"secretName": KEYS_SECRET, "items": [{"key": key, "path": key} for key in _KEYS]}
