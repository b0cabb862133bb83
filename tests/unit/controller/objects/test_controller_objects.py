# SPDX-License-Identifier: Apache-2.0
"""The objects of a model, one decision a test; their shape as a whole is in tests/golden/fraud-objects.yaml."""

from typing import Any

import pytest

from controller.objects import http_route, inference_service, serving_runtime
from controller.objects.naming import version_name
from kelp.errors import InputError
from kelp.home import Gateway, Home, Images, Kfp
from kelp.spec import Model, model_from_values


def a_model(name: str = "fraud", labels: dict[str, str] | None = None, **serve: Any) -> Model:
    spec = {"task": "binary", "data": {"source": "data://x/*.parquet", "target": "y", "positive": "1"}, "serve": serve}
    metadata = {"name": name, "labels": labels or {}}
    return model_from_values(
        {"apiVersion": "kelp.dev/v1alpha1", "kind": "Model", "metadata": metadata, "spec": spec}, "test"
    )


def a_cluster_home() -> Home:
    return Home(
        data_root="s3://kelp/data",
        store="s3://kelp/store",
        registry="s3://kelp/registry",
        audit="http://kelp-audit.kelp-system:8085",
        runs="/tmp/runs",
        keys="/etc/kelp-keys",
        kfp=Kfp(namespace="team"),
        images=Images(serving=f"r/kelp-serving@sha256:{'0' * 64}"),
        gateway=Gateway(name="door", namespace="doors"),
    )


def a_service(model: Model, version: int = 3) -> dict[str, Any]:
    return inference_service(model, version, a_cluster_home(), "s3://kelp/registry/fraud/3")


def a_route(weights: dict[int, int]) -> dict[str, Any]:
    return http_route(a_model(), weights, a_cluster_home())


def test_each_version_is_a_service_of_its_own_in_the_models_namespace() -> None:
    metadata = a_service(a_model())["metadata"]
    assert (metadata["name"], metadata["namespace"]) == ("fraud-v3", "team")
    assert (metadata["labels"]["kelp.dev/model"], metadata["labels"]["kelp.dev/version"]) == ("fraud", "3")


def test_pods_carry_model_and_version_for_metrics() -> None:
    labels = a_service(a_model())["spec"]["predictor"]["labels"]
    assert labels == {"kelp.dev/model": "fraud", "kelp.dev/version": "3"}


def test_the_specs_labels_are_kept_and_cannot_replace_ours() -> None:
    labels = a_service(a_model(labels={"domain": "finance", "kelp.dev/model": "other"}))["metadata"]["labels"]
    assert (labels["domain"], labels["kelp.dev/model"]) == ("finance", "fraud")


def test_the_longest_name_fits_with_kserves_suffix() -> None:
    assert len(version_name(a_model(name="a" * 40), 10**9) + "-predictor") <= 63


def test_kserve_makes_no_route_and_no_autoscaler() -> None:
    metadata = a_service(a_model())["metadata"]
    assert metadata["labels"]["networking.kserve.io/visibility"] == "cluster-local"
    assert metadata["annotations"]["serving.kserve.io/deploymentMode"] == "Standard"
    assert metadata["annotations"]["serving.kserve.io/autoscalerClass"] == "none"


def test_every_version_answers_under_the_models_name() -> None:
    model = a_service(a_model())["spec"]["predictor"]["model"]
    assert model["args"] == ["--model-name=fraud", "--version=3"]
    assert model["storageUri"] == "s3://kelp/registry/fraud/3"


def test_replicas_and_resources_come_from_the_spec() -> None:
    resources = {"requests": {"cpu": "2"}, "limits": {"memory": "4Gi"}}
    predictor = a_service(a_model(replicas=3, resources=resources))["spec"]["predictor"]
    assert (predictor["minReplicas"], predictor["maxReplicas"]) == (3, 3)
    assert predictor["model"]["resources"] == resources


def test_without_resources_the_runtimes_defaults_stand() -> None:
    assert "resources" not in a_service(a_model())["spec"]["predictor"]["model"]


def test_a_server_runs_without_privileges() -> None:
    predictor = a_service(a_model())["spec"]["predictor"]
    container = serving_runtime(a_cluster_home())["spec"]["containers"][0]
    assert predictor["automountServiceAccountToken"] is False
    assert predictor["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_a_server_gets_no_key_that_signs() -> None:
    secrets = [
        volume["secret"] for volume in serving_runtime(a_cluster_home())["spec"]["volumes"] if "secret" in volume
    ]
    names = {
        "signing.pub.pem": "signing.pub.pem",
        "pseudonym.key": "pseudonym.key",
        "model-server.token": "audit.token",
    }
    keys = [{"key": key, "path": path} for key, path in names.items()]
    assert secrets == [{"secretName": "kelp-keys", "items": keys}]


def test_the_runtime_has_the_homes_image_and_the_container_name_kserve_needs() -> None:
    container = serving_runtime(a_cluster_home())["spec"]["containers"][0]
    assert container["name"] == "kserve-container"
    assert container["image"].startswith("r/kelp-serving@sha256:")


def test_probes_do_not_name_a_model() -> None:
    container = serving_runtime(a_cluster_home())["spec"]["containers"][0]
    paths = [container[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")]
    assert paths == ["/v2/health/ready", "/v2/health/ready", "/v2/health/live"]


def test_the_server_understands_every_argument() -> None:
    from serving.runtime.options import parse_options

    arguments = serving_runtime(a_cluster_home())["spec"]["containers"][0]["args"]
    options = parse_options([*arguments, *a_service(a_model())["spec"]["predictor"]["model"]["args"]])
    assert (options.models[0].name, options.models[0].version) == ("fraud", 3)
    assert str(options.models[0].folder) == "/mnt/models"
    assert (options.verify, str(options.public_key)) == ("required", "/etc/kelp-keys/signing.pub.pem")
    assert (options.port, options.grpc_port) == (8080, 8081)


def test_the_split_has_the_weights_in_order_of_version() -> None:
    split = a_route({8: 10, 7: 90})["spec"]["rules"][-1]
    backends = [(backend["name"], backend["port"], backend["weight"]) for backend in split["backendRefs"]]
    assert backends == [("fraud-v7-predictor", 80, 90), ("fraud-v8-predictor", 80, 10)]


def test_every_backend_says_who_answered() -> None:
    for rule in a_route({7: 90, 8: 10})["spec"]["rules"]:
        for backend in rule["backendRefs"]:
            header = backend["filters"][0]["responseHeaderModifier"]["set"][0]
            assert header == {"name": "x-served-by", "value": backend["name"].removesuffix("-predictor")}


def test_a_header_pins_each_version_even_one_without_weight() -> None:
    pins = a_route({7: 100, 8: 0})["spec"]["rules"][:-1]
    for pin, version in zip(pins, (7, 8), strict=True):
        assert all(
            match["headers"] == [{"type": "Exact", "name": "x-kelp-version", "value": str(version)}]
            for match in pin["matches"]
        )
        assert [backend["name"] for backend in pin["backendRefs"]] == [f"fraud-v{version}-predictor"]


def test_the_route_takes_both_protocols_paths_and_no_other_models() -> None:
    paths = {
        match["path"]["value"]: match["path"]["type"] for match in a_route({1: 100})["spec"]["rules"][-1]["matches"]
    }
    assert paths == {
        "/v1/models/fraud:predict": "Exact",
        "/v1/models/fraud": "PathPrefix",
        "/v2/models/fraud": "PathPrefix",
    }


def test_the_route_attaches_to_the_homes_gateway() -> None:
    parent = a_route({1: 100})["spec"]["parentRefs"][0]
    assert (parent["kind"], parent["name"], parent["namespace"]) == ("Gateway", "door", "doors")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        pytest.param({}, "expected 1 to 15 versions, found 0", id="none"),
        pytest.param(dict.fromkeys(range(1, 17), 6), "found 16", id="more than the Gateway API allows"),
        pytest.param({1: 60, 2: 30}, "sum to 100", id="90 percent"),
        pytest.param({1: 110, 2: -10}, "weights from 0", id="negative"),
        pytest.param({0: 100}, "versions from 1", id="version 0"),
    ],
)
def test_wrong_weights_are_refused_with_the_models_name(weights: dict[int, int], message: str) -> None:
    with pytest.raises(InputError, match=message) as refusal:
        a_route(weights)
    assert refusal.value.place == "weights of fraud"


def test_the_same_input_gives_the_same_object_each_time() -> None:
    first = a_service(a_model())
    first["metadata"]["annotations"]["mine"] = "changed"
    assert "mine" not in a_service(a_model())["metadata"]["annotations"]
