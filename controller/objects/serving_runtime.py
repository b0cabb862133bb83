# SPDX-License-Identifier: Apache-2.0
"""The KServe ServingRuntime: how a pod of kelp's model server looks, for all models of a namespace."""

from controller.objects.naming import HOME_CONFIG_MAP, KEYS_SECRET, RUNTIME, Object, new_object, platform_labels
from kelp.home import AUDIT_TOKEN, PSEUDONYM_KEY, SIGNING_PUBLIC_KEY, Home

PORT = 8080
GRPC_PORT = 8081
MODEL_FOLDER = "/mnt/models"  # where KServe puts the files of storageUri
KEY_FOLDER = "/etc/kelp-keys"
HOME_FOLDER = "/etc/kelp"
STATE_FOLDER = "/var/lib/kelp"
SERVER_TOKEN = "model-server.token"  # in the Secret; a server finds it under the name that every home's token has
_KEYS = {SIGNING_PUBLIC_KEY: SIGNING_PUBLIC_KEY, PSEUDONYM_KEY: PSEUDONYM_KEY, SERVER_TOKEN: AUDIT_TOKEN}


def serving_runtime(home: Home) -> Object:
    """Build the runtime; its image is the home's `images.serving`.

    `register` signs every version, so on a cluster every version is verified before it is loaded, whatever
    `serve.verify` says. A pod gets the public signing key, the key of pseudonyms, under which a model with rolling
    features knows an entity again, and a token to append to the audit log. It can write to /tmp, and to a volume in
    which histories outlive its container.
    """
    runtime = new_object(
        "serving.kserve.io/v1alpha1", "ServingRuntime", RUNTIME, home, platform_labels(RUNTIME, "model-server")
    )
    runtime["spec"] = _spec(home)
    return runtime


def cluster_serving_runtime(home: Home) -> Object:
    """Build the same for all namespaces of a cluster; each needs the ConfigMap and the Secret of the home."""
    runtime = serving_runtime(home)
    del runtime["metadata"]["namespace"]
    return {**runtime, "kind": "ClusterServingRuntime"}


def _spec(home: Home) -> Object:
    return {
        "annotations": {"prometheus.kserve.io/port": str(PORT), "prometheus.kserve.io/path": "/metrics"},
        "supportedModelFormats": [{"name": RUNTIME, "version": "1", "autoSelect": False}],
        "protocolVersions": ["v1", "v2", "grpc-v2"],
        "containers": [_container(home)],
        "volumes": [
            {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
            {"name": "state", "emptyDir": {"sizeLimit": "1Gi"}},
            {"name": "home", "configMap": {"name": HOME_CONFIG_MAP}},
            {"name": "keys", "secret": _server_keys()},
        ],
    }


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
            f"--grpc-port={GRPC_PORT}",
            "--verify=required",
            f"--public-key={KEY_FOLDER}/{SIGNING_PUBLIC_KEY}",
            f"--pseudonym-key={KEY_FOLDER}/{PSEUDONYM_KEY}",
            f"--home={HOME_FOLDER}/home.toml",
            f"--state-dir={STATE_FOLDER}",
        ],
        "ports": [
            {"name": "http", "containerPort": PORT, "protocol": "TCP"},
            {"name": "h2c", "containerPort": GRPC_PORT, "protocol": "TCP"},  # KServe's name for gRPC
        ],
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
            {"name": "state", "mountPath": STATE_FOLDER},
            {"name": "home", "mountPath": HOME_FOLDER, "readOnly": True},
            {"name": "keys", "mountPath": KEY_FOLDER, "readOnly": True},
        ],
    }


def _probe(path: str) -> Object:
    return {"httpGet": {"path": path, "port": PORT}, "timeoutSeconds": 2}


def _server_keys() -> Object:
    """What a server needs of the keys; a pod does not start without it."""
    return {"secretName": KEYS_SECRET, "items": [{"key": key, "path": path} for key, path in _KEYS.items()]}
