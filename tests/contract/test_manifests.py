# SPDX-License-Identifier: Apache-2.0
"""Everything that is applied to a cluster, held against the schemas of the cluster's kinds.

`KELP_CRDS` names a folder with the CRDs of the other projects, one a file in any sub-folder. Kubernetes drops fields
that a schema does not know without a word; here they are errors. Rules in CEL are not evaluated.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from controller.render import render
from kelp.audit.identity import TOKENS_FILE
from kelp.home import AUDIT_KEY, AUDIT_TOKEN, SIGNING_PUBLIC_KEY, load_home
from kelp.spec import load_model

CHECKOUT = Path(__file__).parents[2]
MANIFESTS = CHECKOUT / "manifests"
LAYERS = ("base", "overlays/kind")
FEATURES = ("features/cluster-runtime",)
CORE_GROUPS = ("", "apps", "networking.k8s.io", "rbac.authorization.k8s.io")

Object = dict[str, Any]
Schema = dict[str, Any]

layers = pytest.mark.parametrize("layer", [pytest.param(layer, id=layer) for layer in LAYERS])
layers_and_features = pytest.mark.parametrize("layer", [pytest.param(name, id=name) for name in (*LAYERS, *FEATURES)])


class Loader(yaml.CSafeLoader):  # type: ignore[misc]  # PyYAML ships no types
    """The fast SafeLoader that reads a bare `=` as text; one of the CRDs has it in an enum."""


Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: node.value)


@cache
def kustomized(layer: str) -> tuple[Object, ...]:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    command = ["kubectl", "kustomize", str(MANIFESTS / layer)]
    rendered = subprocess.run(command, capture_output=True, text=True, check=False)
    assert rendered.returncode == 0, rendered.stderr
    assert not rendered.stderr, rendered.stderr
    return tuple(yaml.safe_load_all(rendered.stdout))


def rendered_model() -> list[Object]:
    model = load_model(CHECKOUT / "models" / "fraud.yaml")
    home = load_home(MANIFESTS / "base" / "home" / "home.toml")
    return render(model, home, weights={7: 95, 8: 5})


@cache
def schemas() -> dict[tuple[str, str], Schema]:
    folder = os.environ.get("KELP_CRDS")
    if not folder:
        pytest.skip("KELP_CRDS is not set")
    found = {}
    for path in sorted(Path(folder).rglob("*.yaml")):
        for crd in yaml.load_all(path.read_text(encoding="utf-8"), Loader):
            for version in crd["spec"]["versions"]:
                api_version = f"{crd['spec']['group']}/{version['name']}"
                found[api_version, crd["spec"]["names"]["kind"]] = strict(version["schema"]["openAPIV3Schema"])
    return found


def strict(schema: Schema) -> Schema:
    """The JSON Schema of a structural OpenAPI schema, with the fields that pruning would drop refused."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    made: Schema = {
        name: schema[name] for name in ("type", "enum", "pattern", "minimum", "maximum", "required") if name in schema
    }
    made |= {name: schema[name] for name in schema if re.fullmatch(r"(min|max)(Length|Items|Properties)", name)}
    if schema.get("nullable"):
        made["type"] = [made["type"], "null"]
    if "properties" in schema:
        made["properties"] = {name: strict(part) for name, part in schema["properties"].items()}
        made["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    if isinstance(schema.get("additionalProperties"), dict):
        made["additionalProperties"] = strict(schema["additionalProperties"])
    if "items" in schema:
        made["items"] = strict(schema["items"])
    return made


def problems(item: Object, schema: Schema) -> list[str]:
    errors = jsonschema.Draft7Validator(schema).iter_errors(item)
    return [f"{item['kind']} {item['metadata']['name']}: {error.json_path}: {error.message}" for error in errors]


def group(item: Object) -> str:
    name, slash, _ = str(item["apiVersion"]).partition("/")
    return name if slash else ""


def check_against_crds(objects: list[Object]) -> None:
    known = schemas()
    found = [problem for item in objects for problem in problems(item, known[item["apiVersion"], item["kind"]])]
    assert not found, "\n".join(found)


def files() -> Iterator[Path]:
    for path in sorted(MANIFESTS.rglob("*.yaml")):
        if path.name != "kustomization.yaml":
            yield path


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        pytest.param({"weight": 1}, None, id="a known field"),
        pytest.param({"wieght": 1}, "'wieght' was unexpected", id="a misspelt field"),
        pytest.param({"weight": "1"}, "is not of type 'integer'", id="a wrong type"),
        pytest.param({"free": {"any": 1}}, None, id="a free mapping"),
        pytest.param({"port": "http"}, None, id="a port by name"),
    ],
)
def test_the_check_itself_sees_what_kubernetes_would_drop(spec: Object, problem: str | None) -> None:
    schema = {
        "type": "object",
        "properties": {
            "weight": {"type": "integer"},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "port": {"x-kubernetes-int-or-string": True},
        },
    }
    found = [error.message for error in jsonschema.Draft7Validator(strict(schema)).iter_errors(spec)]
    assert len(found) == (problem is not None)
    assert problem is None or problem in found[0]


def test_the_rendered_model_is_valid_for_every_operator() -> None:
    check_against_crds(rendered_model())


@layers_and_features
def test_custom_objects_are_valid_for_their_operators(layer: str) -> None:
    check_against_crds([item for item in kustomized(layer) if group(item) not in CORE_GROUPS])


@layers
def test_core_objects_are_valid_for_kubernetes(layer: str) -> None:
    core = [item for item in kustomized(layer) if group(item) in CORE_GROUPS]
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    for item in core:
        kubernetes_validate.validate(item, kubernetes_validate.latest_version(), strict=True)


@layers
def test_every_overlay_has_the_same_objects_as_base_or_more(layer: str) -> None:
    base, found = (
        {(item["kind"], re.sub(r"-[a-z0-9]{10}$", "", item["metadata"]["name"])) for item in kustomized(name)}
        for name in ("base", layer)
    )
    assert base <= found


@layers
def test_no_secret_is_committed_and_none_is_missing_from_the_guide(layer: str) -> None:
    objects = kustomized(layer)
    assert not [item for item in objects if item["kind"] == "Secret"]
    guide = (CHECKOUT / "docs" / "cluster.md").read_text(encoding="utf-8")
    for name in ("kelp-keys", "kelp-audit-keys", "kelp-s3", AUDIT_KEY, AUDIT_TOKEN, SIGNING_PUBLIC_KEY, TOKENS_FILE):
        assert name in guide


@layers
def test_every_home_is_one_that_kelp_reads(layer: str, tmp_path: Path) -> None:
    homes = [item for item in kustomized(layer) if item["kind"] == "ConfigMap"]
    assert len(homes) == 2
    for item in homes:
        (tmp_path / "home.toml").write_text(item["data"]["home.toml"], encoding="utf-8")
        home = load_home(tmp_path / "home.toml")
        assert home.registry.startswith("s3://")
        assert home.keys == "/etc/kelp-keys"
        assert home.audit == ("/var/lib/kelp/audit" if "audit" in item["metadata"]["name"] else AUDIT_SERVICE)


AUDIT_SERVICE = "http://kelp-audit.kelp-system:8085"


@layers
def test_homes_agree_on_the_namespaces_and_the_gateway(layer: str, tmp_path: Path) -> None:
    objects = kustomized(layer)
    shared = next(item for item in objects if item["metadata"]["name"] == "kelp-home")
    (tmp_path / "home.toml").write_text(shared["data"]["home.toml"], encoding="utf-8")
    home = load_home(tmp_path / "home.toml")
    gateway = next(item for item in objects if item["kind"] == "Gateway")
    routes_from = gateway["spec"]["listeners"][0]["allowedRoutes"]["namespaces"]["selector"]["matchExpressions"][0]
    assert shared["metadata"]["namespace"] == home.kfp.namespace
    assert (gateway["metadata"]["name"], gateway["metadata"]["namespace"]) == (
        home.gateway.name,
        home.gateway.namespace,
    )
    assert gateway["spec"]["gatewayClassName"] == home.gateway.class_name
    assert routes_from["values"] == [home.kfp.namespace]


@layers
def test_every_pod_runs_without_privileges_and_without_a_token(layer: str) -> None:
    pods = [item["spec"]["template"]["spec"] for item in kustomized(layer) if "template" in item.get("spec", {})]
    assert pods
    for pod in pods:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


@layers
def test_the_deployer_may_apply_exactly_the_rendered_kinds(layer: str) -> None:
    role = next(item for item in kustomized(layer) if item["kind"] == "Role")
    allowed = {
        (name, resource) for rule in role["rules"] for name in rule["apiGroups"] for resource in rule["resources"]
    }
    assert allowed == {(group(item), f"{item['kind'].lower()}s") for item in rendered_model()}
    assert "*" not in yaml.safe_dump(role)


@pytest.mark.parametrize("path", [pytest.param(path, id=str(path.relative_to(MANIFESTS))) for path in files()])
def test_one_object_a_file_named_after_its_kind(path: Path) -> None:
    documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    assert len(documents) == 1
    assert path.stem == documents[0]["kind"].lower()


@pytest.mark.parametrize("path", [pytest.param(path, id=str(path.relative_to(MANIFESTS))) for path in files()])
def test_every_file_stands_in_its_folders_table_of_contents(path: Path) -> None:
    contents = yaml.safe_load((path.parent / "kustomization.yaml").read_text(encoding="utf-8"))
    listed = [*contents.get("resources", []), *(patch["path"] for patch in contents.get("patches", []))]
    assert path.name in listed


def test_the_kind_cluster_opens_the_gateways_port_on_this_machine_only() -> None:
    cluster = yaml.safe_load((CHECKOUT / "kind-config.yaml").read_text(encoding="utf-8"))
    opened = cluster["nodes"][0]["extraPortMappings"]
    proxy = yaml.safe_load((MANIFESTS / "overlays/kind/system/envoyproxy.yaml").read_text(encoding="utf-8"))
    ports = proxy["spec"]["provider"]["kubernetes"]["envoyService"]["patch"]["value"]["spec"]["ports"]
    assert [port["containerPort"] for port in opened] == [port["nodePort"] for port in ports]
    assert [port["listenAddress"] for port in opened] == ["127.0.0.1"]
