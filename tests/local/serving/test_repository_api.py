# SPDX-License-Identifier: Apache-2.0
"""A repository of models behind a real server: versions come, go and are refused, over HTTP and over gRPC."""

import json
import os
import pickle
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc

from kelp.audit import Record, open_log
from kelp.home import SIGNING_KEY, SIGNING_PUBLIC_KEY, ensure_home, load_home
from kelp.registry.signature import sign
from serving.source import estimated_bytes
from tests.local.serving.conftest import Server, a_version, refused_start, running

ROW = {"amount": 12.5, "merchant": "shop", "is_foreign": True, "items": 2}
SCORE = pytest.approx(0.85195279, rel=1e-6)

WaitUntil = Callable[[Callable[[], bool], str], None]


@dataclass(frozen=True)
class Asked:
    """A server with a repository, asked over HTTP and over gRPC."""

    server: Server
    client: httpx.Client
    rpc: Any

    def predict(self, name: str = "fraud") -> httpx.Response:
        return self.client.post(f"/v1/models/{name}:predict", json={"instances": [ROW]})

    def version(self, name: str = "fraud") -> str:
        """The version that answers over HTTP and over gRPC."""
        answer = self.predict(name)
        assert answer.status_code == 200, answer.text
        assert answer.json()["predictions"][0]["score"] == SCORE
        response = self.rpc.ModelInfer(infer_request(name))
        assert response.outputs[0].contents.fp64_contents[0] == SCORE
        assert response.model_version == answer.headers["x-model-version"]
        return str(response.model_version)

    def command(self, action: str, name: str = "fraud") -> httpx.Response:
        return self.client.post(f"/v2/repository/models/{name}/{action}")

    def command_over_grpc(self, action: str, name: str = "fraud") -> tuple[str, str]:
        """Status and text of the same over gRPC."""
        call = self.rpc.RepositoryModelLoad if action == "load" else self.rpc.RepositoryModelUnload
        kind = pb.RepositoryModelLoadRequest if action == "load" else pb.RepositoryModelUnloadRequest
        try:
            response = call(kind(model_name=name))
        except grpc.RpcError as error:
            return error.code().name, error.details()
        assert response.model_name == name
        assert response.isLoaded if action == "load" else response.isUnloaded
        return "OK", ""

    def index(self, name: str = "fraud") -> dict[str, Any]:
        found: list[dict[str, Any]] = self.client.get("/v2/repository/index").json()
        (entry,) = [each for each in found if each["name"] == name]
        return entry


def infer_request(name: str) -> Any:
    message = pb.ModelInferRequest(model_name=name)
    tensor = message.inputs.add(name="rows", datatype="FP32", shape=[1, 4])
    tensor.contents.fp32_contents.extend([12.5, 2, 1, 2])
    return message


@contextmanager
def asked(root: Path, log: Path, *arguments: str) -> Iterator[Asked]:
    """Serve a repository."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    options = ["--repository", str(root), "--grpc-port", address.rpartition(":")[2], *arguments]
    with (
        running(log, *options) as server,
        httpx.Client(base_url=server.url, timeout=30) as client,
        grpc.insecure_channel(address) as channel,
    ):
        yield Asked(server, client, grpc_predict_v2_pb2_grpc.GRPCInferenceServiceStub(channel))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with version 1 of `fraud` as its champion."""
    a_version(tmp_path / "repository" / "fraud" / "1")
    promote(tmp_path / "repository", 1)
    return tmp_path / "repository"


def promote(root: Path, number: int) -> None:
    (root / "fraud" / "aliases.json").write_text(json.dumps({"champion": number}))


def rewrite_manifest(folder: Path) -> None:
    files = {
        path.name: sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.name != "manifest.json"
    }
    (folder / "manifest.json").write_text(json.dumps({"files": files}))


def test_load_switches_to_a_version_that_came_later(root: Path, tmp_path: Path) -> None:
    with asked(root, tmp_path / "log") as model:
        assert model.index() == {
            "name": "fraud",
            "version": "1",
            "state": "UNAVAILABLE",
            "reason": "not in memory; the next request loads it",
        }
        assert model.version() == "1"
        for number, load in ((2, model.command), (3, model.command_over_grpc)):
            a_version(root / "fraud" / str(number))
            promote(root, number)
            assert model.version() == str(number - 1)
            answer = load("load")
            assert (
                answer == ("OK", "") if isinstance(answer, tuple) else answer.json() == {"name": "fraud", "load": True}
            )
            assert model.version() == str(number)
            assert model.index() == {"name": "fraud", "version": str(number), "state": "READY", "reason": ""}
        assert model.client.post("/v2/models/fraud/versions/2/infer", json={}).status_code == 404
        promote(root, 1)
        assert (model.command("load").status_code, model.version()) == (200, "1")


def flipped(folder: Path, keys: Path) -> str:
    """Flip the lowest bit of one byte."""
    content = bytearray((folder / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.onnx").write_bytes(content)
    return "model.onnx: its SHA-256 is"


def added(folder: Path, keys: Path) -> str:
    (folder / "notes.txt").write_text("added later")
    return "notes.txt: is not listed in the manifest"


def signed_with_another_key(folder: Path, keys: Path) -> str:
    ensure_home(folder.parent.parent / ".other")
    sign(folder, folder.parent.parent / ".other" / "keys" / SIGNING_KEY)
    return "the signature does not fit"


def changed_after_it_was_signed(folder: Path, keys: Path) -> str:
    sign(folder, keys / SIGNING_KEY)
    (folder / "golden.json").write_bytes((folder / "golden.json").read_bytes() + b" ")
    rewrite_manifest(folder)
    return "the signature does not fit"


def with_a_pickle(folder: Path, keys: Path) -> str:
    (folder / "model.pkl").write_bytes(pickle.dumps({"weights": [1.0]}))
    rewrite_manifest(folder)
    return "model.pkl: is a pickle"


def with_a_pickle_by_another_name(folder: Path, keys: Path) -> str:
    (folder / "model.onnx").write_bytes(pickle.dumps({"weights": [1.0]}))
    rewrite_manifest(folder)
    return "model.onnx: is a pickle"


def with_a_pipe(folder: Path, keys: Path) -> str:
    (folder / "card.md").write_text("")
    rewrite_manifest(folder)
    (folder / "card.md").unlink()
    os.mkfifo(folder / "card.md")
    return "card.md: expected a file, found none"


def with_other_golden_scores(folder: Path, keys: Path) -> str:
    golden = json.loads((folder / "golden.json").read_text())
    (folder / "golden.json").write_text(json.dumps({**golden, "scores": [[0.5]]}))
    rewrite_manifest(folder)
    return "golden.json"


def with_a_manifest_nested_too_deep(folder: Path, keys: Path) -> str:
    (folder / "manifest.json").write_text("[" * 100_000)
    return "manifest.json: expected a JSON object"


def with_golden_rows_nested_too_deep(folder: Path, keys: Path) -> str:
    """What the loader itself does not expect: nothing that is in a version may end what answers for another."""
    (folder / "golden.json").write_text("[" * 100_000)
    rewrite_manifest(folder)
    return "cannot be loaded (RecursionError"


def with_a_name_that_no_file_has(folder: Path, keys: Path) -> str:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({"files": {**manifest["files"], "a\0b": "0" * 64}}))
    return "cannot be loaded (ValueError"


DAMAGES = [
    flipped,
    added,
    signed_with_another_key,
    changed_after_it_was_signed,
    with_a_pickle,
    with_a_pickle_by_another_name,
    with_a_pipe,
    with_other_golden_scores,
    with_a_manifest_nested_too_deep,
    with_golden_rows_nested_too_deep,
    with_a_name_that_no_file_has,
]


def test_a_bad_version_is_refused_with_the_reason_and_the_one_before_answers(
    root: Path, tmp_path: Path, wait_until: WaitUntil
) -> None:
    home = ensure_home(tmp_path / "workspace")
    keys = home.parent / "keys"
    sign(root / "fraud" / "1", keys / SIGNING_KEY)
    arguments = ["--public-key", str(keys / SIGNING_PUBLIC_KEY), "--home", str(home)]
    reasons: list[tuple[str, str]] = []
    with asked(root, tmp_path / "log", *arguments) as model:
        assert model.version() == "1"
        for number, damage in enumerate(DAMAGES, start=2):
            folder = a_version(root / "fraud" / str(number))
            reason = damage(folder, keys)
            promote(root, number)
            refuses(model, number, reason)
            reasons.append((f"fraud/{number}", reason))
        good = len(DAMAGES) + 2
        a_version(root / "fraud" / str(good))
        promote(root, good)
        assert (model.command_over_grpc("load"), model.version()) == (("OK", ""), str(good))
        wait_until(lambda: len(records(home, "model.refuse")) == len(DAMAGES), "a refusal is not in the audit log")
    refusals = records(home, "model.refuse")
    assert [refusal.subject for refusal in refusals] == [subject for subject, _ in reasons]
    for refusal, (_, reason) in zip(refusals, reasons, strict=True):
        assert refusal.actor == "model-server"
        assert refusal.detail["error"] == "IntegrityError"
        assert reason in str(refusal.detail["reason"])
    assert [load.subject for load in records(home, "model.load")] == ["fraud/1", f"fraud/{good}"]


def refuses(model: Asked, number: int, reason: str) -> None:
    """Loading a version fails with the reason over both protocols, and version 1 answers on."""
    answer = model.command("load")
    assert answer.status_code == 503, answer.text
    assert f"version {number} is refused: " in answer.json()["error"]
    assert reason in answer.json()["error"]
    assert answer.json()["fix"] == "version 1 is still served"
    code, text = model.command_over_grpc("load")
    assert code == "UNAVAILABLE"
    assert reason in text or len(text) >= 500
    assert model.version() == "1"
    assert model.client.get("/v2/models/fraud/ready").status_code == 200
    entry = model.index()
    assert (entry["version"], entry["state"]) == ("1", "READY")
    assert f"version {number} is refused: " in entry["reason"]
    assert reason in entry["reason"]


def records(home: Path, action: str) -> list[Record]:
    with open_log(load_home(home), "test") as log:
        return [entry.record for entry in log.entries(0, 1000) if entry.record.action == action]


def test_a_bad_first_version_is_503_everywhere_until_a_good_one_is_loaded(root: Path, tmp_path: Path) -> None:
    flipped(root / "fraud" / "1", root)
    with asked(root, tmp_path / "log") as model:
        for answer in (
            model.predict(),
            model.client.get("/v2/models/fraud/ready"),
            model.client.get("/v1/models/fraud"),
            model.client.get("/v2/models/fraud"),
            model.command("load"),
        ):
            assert answer.status_code == 503, answer.text
            assert "its SHA-256 is" in answer.json()["error"]
        with pytest.raises(grpc.RpcError) as caught:
            model.rpc.ModelInfer(infer_request("fraud"))
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        assert "its SHA-256 is" in caught.value.details()
        assert model.index()["state"] == "UNAVAILABLE"
        assert "its SHA-256 is" in model.index()["reason"]
        shutil.rmtree(root / "fraud" / "1")
        a_version(root / "fraud" / "1")
        assert (model.command("load").status_code, model.version()) == (200, "1")


def test_an_unloaded_model_is_404_everywhere_until_it_is_loaded(root: Path, tmp_path: Path) -> None:
    with asked(root, tmp_path / "log") as model:
        for action in (model.command, model.command_over_grpc):
            assert model.version() == "1"
            answer = action("unload")
            assert answer == ("OK", "") if isinstance(answer, tuple) else answer.json()["unload"] is True
            is_gone(model)
            assert model.command("load").status_code == 200
        assert model.version() == "1"
        assert model.client.get("/v2/models").json() == {"models": ["fraud"]}


def is_gone(model: Asked) -> None:
    for answer in (
        model.predict(),
        model.client.post("/v2/models/fraud/infer", json={}),
        model.client.post("/v1/models/fraud:explain", json={}),
        model.client.get("/v1/models/fraud"),
        model.client.get("/v2/models/fraud"),
        model.client.get("/v2/models/fraud/ready"),
        model.client.get("/v2/models/fraud/versions/1/ready"),
        model.command("unload"),
    ):
        assert answer.status_code == 404, answer.text
    for call, request in (
        (model.rpc.ModelInfer, infer_request("fraud")),
        (model.rpc.ModelReady, pb.ModelReadyRequest(name="fraud")),
        (model.rpc.ModelMetadata, pb.ModelMetadataRequest(name="fraud")),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            call(request)
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    assert model.command_over_grpc("unload")[0] == "NOT_FOUND"
    assert model.client.get("/v1/models").json() == {"models": []}
    assert model.index()["state"] == "UNAVAILABLE"
    assert "POST /v2/repository/models/NAME/load serves it" in model.index()["reason"]


def test_a_model_that_came_later_is_served_once_it_is_loaded(root: Path, tmp_path: Path) -> None:
    with asked(root, tmp_path / "log") as model:
        a_version(root / "churn" / "4")
        assert (model.predict("churn").status_code, model.index("churn")["state"]) == (404, "UNAVAILABLE")
        assert (model.command("load", "churn").status_code, model.version("churn")) == (200, "4")


def test_a_name_that_is_no_model_is_404_and_changes_nothing(root: Path, tmp_path: Path) -> None:
    (root / "README.md").write_text("read me")
    a_version(tmp_path / "1")  # what .. would find
    with asked(root, tmp_path / "log") as model:
        before = model.client.get("/v2/repository/index").json()
        for name in ("nobody", "..", "%2e%2e", "README.md", "a" * 300, "fraud%0a", "%ff", "caf\u00e9"):
            for action in ("load", "unload"):
                url = httpx.URL(f"{model.server.url}/v2/repository/models/{name}/{action}")
                answer = model.client.send(httpx.Request("POST", url))
                assert answer.status_code == 404, answer.text
                assert model.command_over_grpc(action, name)[0] == "NOT_FOUND"
        assert model.client.get("/v2/repository/index").json() == before
        assert "Traceback" not in model.server.log.read_text()


def test_three_models_are_served_in_turn_with_memory_for_two(root: Path, tmp_path: Path) -> None:
    names = ("churn", "fraud", "price")
    for name in ("churn", "price"):
        a_version(root / name / "1")
    room = 2 * estimated_bytes(root / "fraud" / "1") + 1000
    with asked(root, tmp_path / "log", "--memory-bytes", str(room)) as model:
        for _ in range(3):
            for name in names:
                assert model.version(name) == "1"
        states = [model.index(name)["state"] for name in names]
        assert sorted(states) == ["READY", "READY", "UNAVAILABLE"]
        assert states[2] == "READY", "the last one asked for"


def test_a_model_larger_than_the_memory_is_503_and_says_so(root: Path, tmp_path: Path) -> None:
    with asked(root, tmp_path / "log", "--memory-bytes", "1000") as model:
        for answer in (model.predict(), model.command("load"), model.client.get("/v2/models/fraud/ready")):
            assert answer.status_code == 503
            assert "expected room for" in answer.json()["error"]


def test_a_repository_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    code, message = refused_start("--repository", str(tmp_path / "nowhere"))
    assert code == 4
    assert "nowhere: the repository cannot be read (No such file or directory); check --repository" in message
    assert "Traceback" not in message


def test_loads_under_load_fail_no_request(root: Path, tmp_path: Path) -> None:
    """Versions change while requests are answered: each is answered by one of them, and load never fails."""
    a_version(root / "fraud" / "2")
    found: list[tuple[int, str]] = []
    enough, is_over = threading.Event(), threading.Event()

    def ask(url: str) -> None:
        with httpx.Client(base_url=url, timeout=30) as client:
            while not is_over.is_set():
                answer = client.post("/v1/models/fraud:predict", json={"instances": [ROW]})
                found.append((answer.status_code, answer.headers.get("x-model-version", "")))
                if len(found) % 20 == 0:
                    enough.set()

    with asked(root, tmp_path / "log") as model:
        assert model.version() == "1"
        callers = [threading.Thread(target=ask, args=(model.server.url,)) for _ in range(3)]
        for caller in callers:
            caller.start()
        try:
            for number in [2, 1] * 10:
                promote(root, number)
                answer = model.command("load")
                assert answer.status_code == 200, answer.text
                enough.clear()
                assert enough.wait(60), "no request is answered"
        finally:
            is_over.set()
            for caller in callers:
                caller.join()
    assert {status for status, _ in found} == {200}
    assert {version for _, version in found} == {"1", "2"}
