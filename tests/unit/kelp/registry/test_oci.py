# SPDX-License-Identifier: Apache-2.0
"""A version as an OCI image layout: every digest holds, the bytes repeat, and a tool of the field reads it."""

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from kelp.registry.oci import tar_of, write_image


def version(folder: Path) -> Path:
    (folder / "more").mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    (folder / "more" / "model.onnx").write_bytes(bytes(3000))
    return folder


def written(folder: Path, layout: Path) -> str:
    layout.mkdir()
    return write_image(folder, layout, reference="fraud:2", annotations={"dev.kelp.manifest": "sha256:0"})


def read(layout: Path, digest: str) -> bytes:
    return (layout / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()


def manifest_of(layout: Path) -> dict[str, Any]:
    (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    found: dict[str, Any] = json.loads(read(layout, entry["digest"]))
    return found


def test_every_blob_is_under_its_own_digest_and_named_with_its_size(tmp_path: Path) -> None:
    written(version(tmp_path / "v"), tmp_path / "image")
    blobs = {path.name: path.read_bytes() for path in (tmp_path / "image" / "blobs" / "sha256").iterdir()}
    assert len(blobs) == 3
    assert all(hashlib.sha256(content).hexdigest() == name for name, content in blobs.items())
    manifest = manifest_of(tmp_path / "image")
    for descriptor in (manifest["config"], *manifest["layers"]):
        assert descriptor["size"] == len(read(tmp_path / "image", descriptor["digest"]))


def test_the_layer_holds_the_files_under_models_and_the_config_its_digest(tmp_path: Path) -> None:
    written(version(tmp_path / "v"), tmp_path / "image")
    manifest = manifest_of(tmp_path / "image")
    layer = read(tmp_path / "image", manifest["layers"][0]["digest"])
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        assert archive.getnames() == ["models", "models/manifest.json", "models/more/model.onnx"]
        assert {(entry.uid, entry.gid, entry.mtime) for entry in archive} == {(0, 0, 0)}
    config = json.loads(read(tmp_path / "image", manifest["config"]["digest"]))
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]


def test_the_same_files_give_the_same_image(tmp_path: Path) -> None:
    first = written(version(tmp_path / "one"), tmp_path / "image one")
    assert first == written(version(tmp_path / "two"), tmp_path / "image two")
    (tmp_path / "two" / "manifest.json").write_text("{ }")
    assert first != written(tmp_path / "two", tmp_path / "image three")


def test_a_tar_has_its_files_below_its_prefix(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(tar_of(version(tmp_path / "v"), "fraud-2"))) as archive:
        archive.extractall(tmp_path / "out", filter="data")
    assert (tmp_path / "out" / "fraud-2" / "more" / "model.onnx").read_bytes() == bytes(3000)


def test_skopeo_reads_the_layout(tmp_path: Path) -> None:
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed")
    digest = written(version(tmp_path / "v"), tmp_path / "image")
    command = ["skopeo", "inspect", f"oci:{tmp_path}/image:fraud:2"]
    told = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    assert told["Digest"] == digest
    assert told["Os"] == "linux"
