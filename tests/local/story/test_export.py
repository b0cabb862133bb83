# SPDX-License-Identifier: Apache-2.0
"""An exported version answers without the workspace it came from."""

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import httpx

from tests.local.story.workplace import ROOT, Workplace

PAYMENTS = json.loads((ROOT / "examples" / "fraud" / "payments.json").read_text())
PORT = 28_471


def test_a_folder_serves_without_registry_or_workspace(trained: Workplace, tmp_path: Path) -> None:
    said = trained.kelp("export", "fraud", "--to", str(tmp_path / "edge"))
    assert "python -m serving.runtime" in said
    command = [sys.executable, "-m", "serving.runtime", "--model-name", "fraud", "--version", "1"]
    command += ["--model-dir", str(tmp_path / "edge"), "--http-port", str(PORT)]
    server = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        answer = _answered(server)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
    assert [prediction["label"] for prediction in answer["predictions"]] == ["true", "true", "false", "false"]


def _answered(server: "subprocess.Popen[bytes]") -> dict[str, list[dict[str, str]]]:
    deadline = time.monotonic() + 60
    while True:
        try:
            answer = httpx.post(f"http://127.0.0.1:{PORT}/v1/models/fraud:predict", json={"instances": PAYMENTS})
        except httpx.TransportError:
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
            continue
        assert answer.status_code == 200, answer.text
        found: dict[str, list[dict[str, str]]] = answer.json()
        return found


def test_a_tar_holds_the_same_files_as_the_registry(trained: Workplace, tmp_path: Path) -> None:
    trained.kelp("export", "fraud", "--version", "1", "--to", str(tmp_path / "fraud.tar"))
    with tarfile.open(tmp_path / "fraud.tar") as archive:
        archive.extractall(tmp_path / "out", filter="data")
    registered = trained.home / "registry" / "fraud" / "1"
    found = {path.name: path.read_bytes() for path in (tmp_path / "out" / "fraud-1").iterdir()}
    assert found == {path.name: path.read_bytes() for path in registered.iterdir()}


def test_an_image_layout_names_the_model_and_its_version(trained: Workplace, tmp_path: Path) -> None:
    said = trained.kelp("export", "fraud", "--oci", "--to", str(tmp_path / "image"))
    (entry,) = json.loads((tmp_path / "image" / "index.json").read_bytes())["manifests"]
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "fraud:1"}
    assert entry["digest"] in said


def test_nothing_is_overwritten_and_nothing_unknown_exported(trained: Workplace, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    assert "it exists" in trained.kelp("export", "fraud", "--to", str(tmp_path / "here"), expect=2)
    assert "no version" in trained.kelp("export", "fraud", "--version", "99", "--to", str(tmp_path / "a"), expect=2)
    assert "known models: fraud" in trained.kelp("export", "freud", "--to", str(tmp_path / "b"), expect=2)
    assert list(tmp_path.iterdir()) == [tmp_path / "here"]
