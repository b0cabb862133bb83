# SPDX-License-Identifier: Apache-2.0
"""The serving image does what a cluster asks of it: a pod of the rendered ServingRuntime answers, confined, and ends.

`KELP_SERVING_IMAGE` names an image that is built already; without it the test builds one, which needs a network.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from controller.objects import inference_service, serving_runtime
from controller.objects.serving_runtime import GRPC_PORT, HOME_FOLDER, MODEL_FOLDER, PORT, SERVER_TOKEN
from kelp.home import SIGNING_KEY, Home, ensure_home, load_home
from kelp.registry.signature import sign
from kelp.spec import model_from_values
from tests.contract.containers import (
    CONFINED,
    check_there_is_nobody_to_build_or_install,
    docker,
    image_of,
    in_container,
    is_importable,
    open_to_all,
)
from tests.local.serving.conftest import a_version, eventually

pytestmark = pytest.mark.timeout(1800)  # a build is part of the first test

ROW = {"amount": 12.5, "merchant": "shop", "is_foreign": True, "items": 2}
SCORE = pytest.approx(0.8519528, rel=1e-6)  # sigmoid of a tenth of 12.5 + 2 + 1 + 2
ROWS = {"name": "rows", "datatype": "FP32", "shape": [1, 4], "data": [12.5, 2, 1, 2]}

# These run in the container: it has no network over which it could be asked.
UNTIL_READY = """
import sys, time, urllib.request
deadline = time.monotonic() + 60
while True:
    try:
        sys.exit(urllib.request.urlopen(sys.argv[1]).status != 200)
    except OSError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.1)
"""
POST = """
import json, sys, urllib.request
request = urllib.request.Request(sys.argv[1], sys.argv[2].encode(), {"content-type": "application/json"})
with urllib.request.urlopen(request) as answer:
    print(json.dumps([answer.headers["x-model-version"], json.load(answer)]))
"""
INFER = """
import json, sys
import grpc
from kserve.protocol.grpc.grpc_predict_v2_pb2 import ModelInferRequest
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub
tensor = json.loads(sys.argv[2])
request = ModelInferRequest(model_name="fraud")
rows = request.inputs.add(name=tensor["name"], datatype=tensor["datatype"], shape=tensor["shape"])
rows.contents.fp32_contents.extend(tensor["data"])
with grpc.insecure_channel(sys.argv[1]) as channel:
    answer = GRPCInferenceServiceStub(channel).ModelInfer(request, timeout=30)
print(json.dumps([answer.model_version, answer.outputs[0].name, list(answer.outputs[0].contents.fp64_contents)]))
"""


@dataclass(frozen=True)
class Pod:
    """The container of version 3 of the model `fraud`, as the rendered objects say it."""

    runtime: dict[str, Any]
    predictor: dict[str, Any]

    @property
    def container(self) -> dict[str, Any]:
        (container,) = self.runtime["containers"]
        return cast(dict[str, Any], container)

    @property
    def command(self) -> list[str]:
        """The command, the runtime's arguments, then the model's own: KServe appends them."""
        return [*self.container["command"], *self.container["args"], *self.predictor["model"]["args"]]

    @property
    def secret_files(self) -> dict[str, str]:
        """Names of the files in the volume of keys, by the Secret's key."""
        (secret,) = (volume["secret"] for volume in self.runtime["volumes"] if "secret" in volume)
        return {item["key"]: item["path"] for item in secret["items"]}

    def mounts(self, folder: Path) -> list[str]:
        """Docker's options for the volumes of `a_node`; KServe itself mounts the version, for reading."""
        options = [f"--volume={folder / 'version'}:{MODEL_FOLDER}:ro"]
        for mount in self.container["volumeMounts"]:
            mode = ":ro" if mount.get("readOnly") else ""
            place = f"{mount['mountPath']}{mode}"
            options.append("--tmpfs=/tmp" if place == "/tmp" else f"--volume={folder / mount['name']}:{place}")
        return [*options, f"--volume={folder / 'home' / 'audit'}:{HOME_FOLDER}/audit"]


def a_pod(home: Home) -> Pod:
    data = {"source": "data://x/*.parquet", "target": "y", "positive": "1"}
    metadata = {"name": "fraud"}
    spec = {
        "apiVersion": "kelp.dev/v1alpha1",
        "kind": "Model",
        "metadata": metadata,
        "spec": {"task": "binary", "data": data},
    }
    model = model_from_values(spec, "test")
    service = inference_service(model, 3, home, "s3://kelp/registry/fraud/3")
    return Pod(serving_runtime(home)["spec"], service["spec"]["predictor"])


def a_node(folder: Path) -> Pod:
    """Write what the pod's volumes hold: a signed version, the home with a folder as its audit log, keys, state."""
    home = ensure_home(folder / "home")
    pod = a_pod(load_home(home))
    made = home.parent / "keys"
    sign(a_version(folder / "version"), made / SIGNING_KEY)
    (made / SERVER_TOKEN).write_text("token of the model servers")
    (folder / "keys").mkdir()
    for key, name in pod.secret_files.items():
        (folder / "keys" / name).write_bytes((made / key).read_bytes())
    (folder / "state").mkdir()
    open_to_all(folder)
    return pod


@contextmanager
def running(image: str, folder: Path) -> Iterator[str]:
    """Run the pod's container until it is ready; yields its id."""
    pod = a_node(folder)
    memory = f"--memory={pod.container['resources']['limits']['memory'].removesuffix('i')}"  # 2Gi is Docker's 2G
    started = docker("run", "--detach", *CONFINED, memory, *pod.mounts(folder), image, *pod.command)
    assert started.returncode == 0, started.stderr
    name = started.stdout.strip()
    try:
        probe = pod.container["startupProbe"]["httpGet"]
        ask(name, UNTIL_READY, f"http://127.0.0.1:{probe['port']}{probe['path']}")
        yield name
    finally:
        docker("rm", "--force", name)


def inside(name: str, *command: str) -> str:
    """What a command in the container prints."""
    finished = docker("exec", name, *command)
    assert finished.returncode == 0, f"{finished.stderr[-4000:]}\n{docker('logs', name).stderr[-4000:]}"
    return finished.stdout


def ask(name: str, script: str, *arguments: str) -> str:
    return inside(name, "python", "-c", script, *arguments)


@pytest.fixture(scope="module")
def image() -> str:
    return image_of("serving", built="KELP_SERVING_IMAGE")


@pytest.fixture(scope="module")
def server(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(image, tmp_path_factory.mktemp("node")) as name:
        yield name


def test_the_pod_answers_v1(server: str) -> None:
    answer = ask(server, POST, f"http://127.0.0.1:{PORT}/v1/models/fraud:predict", json.dumps({"instances": [ROW]}))
    assert json.loads(answer) == ["3", {"predictions": [{"score": SCORE, "label": "true"}]}]


def test_the_pod_answers_v2(server: str) -> None:
    url = f"http://127.0.0.1:{PORT}/v2/models/fraud/infer"
    version, answer = json.loads(ask(server, POST, url, json.dumps({"inputs": [ROWS]})))
    assert (version, answer["model_version"]) == ("3", "3")
    assert {output["name"]: output["data"] for output in answer["outputs"]} == {"score": [SCORE], "label": ["true"]}


def test_the_pod_answers_over_grpc(server: str) -> None:
    answer = json.loads(ask(server, INFER, f"127.0.0.1:{GRPC_PORT}", json.dumps(ROWS)))
    assert answer == ["3", "score", [SCORE]]


def test_the_pod_tells_the_audit_log_what_it_loaded(server: str) -> None:
    def records() -> list[tuple[str, str]]:
        return [(record["action"], record["subject"]) for record in json.loads(inside(server, *show))]

    show = ("kelp", "audit", "show", "--json")
    eventually(lambda: ("model.load", "fraud/3") in records(), "the load is not in the audit log")


def test_the_server_is_nobody_and_has_no_rights(server: str) -> None:
    status = dict(line.split(":\t", 1) for line in inside(server, "cat", "/proc/1/status").splitlines())
    assert (status["Uid"].split(), status["Gid"].split()) == (["10001"] * 4, ["10001"] * 4)
    assert (int(status["CapBnd"], 16), status["NoNewPrivs"]) == (0, "1")
    assert docker("exec", server, "touch", "/opt/kelp/file").returncode != 0


def test_the_server_keeps_no_telemetry(server: str) -> None:
    ask(server, POST, f"http://127.0.0.1:{PORT}/v1/models/fraud:predict", json.dumps({"instances": [ROW]}))
    assert inside(server, "find", "/tmp", "-type", "f") == ""


def test_docker_stop_ends_the_server_with_zero(image: str, tmp_path: Path) -> None:
    with running(image, tmp_path) as name:
        assert docker("stop", "--time", "30", name).returncode == 0
        assert docker("inspect", "--format", "{{.State.ExitCode}}", name).stdout.strip() == "0"
        assert "Traceback" not in docker("logs", name).stderr


def test_the_image_runs_as_nobody_and_holds_no_tool_to_build_or_install(image: str) -> None:
    check_there_is_nobody_to_build_or_install(image)


def test_the_image_has_the_compiled_kernel(image: str) -> None:
    found = in_container(image, "python", "-c", "import serving.trees._kernel")
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize(
    "module", [pytest.param(name, id=name) for name in ("torch", "xgboost", "kfp", "duckdb", "alibi_detect")]
)
def test_the_image_does_not_hold_what_a_server_does_not_use(image: str, module: str) -> None:
    assert not is_importable(image, module)


def test_the_image_is_less_than_a_gigabyte(image: str) -> None:
    size = int(docker("image", "inspect", "--format", "{{.Size}}", image).stdout)
    print(f"{image}: {size / 1e6:.0f} MB")
    assert size < 1e9
