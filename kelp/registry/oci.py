# SPDX-License-Identifier: Apache-2.0
"""A version directory as an OCI image layout, written without Docker: one layer with the files under `/models`.

The image holds data only. KServe mounts such an image with `storageUri: oci+native://...` (an ImageVolume, Kubernetes
1.33 or newer); its older modelcar mode starts a shell in the image, which is not in this one. The same directory gives
the same bytes. Source of the formats: OCI image specification 1.1, `image-layout.md`, `manifest.md`, `config.md`.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"


def tar_of(folder: Path, prefix: str) -> bytes:
    """A tar of the folder's files under `prefix`, sorted, of nobody's and of no time: equal files, equal bytes."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in _parents(prefix):
            entry = _entry(name, 0o755)
            entry.type = tarfile.DIRTYPE
            archive.addfile(entry)
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = _entry(f"{prefix}/{path.relative_to(folder).as_posix()}", 0o644)
            entry.size = path.stat().st_size
            with path.open("rb") as file:
                archive.addfile(entry, file)
    return content.getvalue()


def _parents(prefix: str) -> list[str]:
    parts = prefix.split("/")
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _entry(name: str, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode = mode
    return entry


def write_image(folder: Path, layout: Path, *, reference: str, annotations: Mapping[str, str]) -> str:
    """Write the OCI image layout of a version directory.

    Args:
        folder: its files go to `/models` in the image.
        layout: an existing, empty folder.
        reference: the name and tag that tools show, such as `fraud:2`.
        annotations: of the image's manifest.

    Returns:
        The digest of the image's manifest, `sha256:...`, by which it is pulled.
    """
    layer = _Blob(_LAYER, tar_of(folder, "models"))
    config = _Blob(
        _CONFIG,
        _json(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Labels": dict(annotations)},
                "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
                "history": [{"created_by": "kelp export"}],
            }
        ),
    )
    manifest = _Blob(
        _MANIFEST,
        _json(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": config.descriptor,
                "layers": [layer.descriptor],
                "annotations": dict(annotations),
            }
        ),
    )
    for blob in (layer, config, manifest):
        path = layout / "blobs" / "sha256" / blob.digest.removeprefix("sha256:")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(blob.content)
    named = {**manifest.descriptor, "annotations": {"org.opencontainers.image.ref.name": reference}}
    (layout / "index.json").write_bytes(_json({"schemaVersion": 2, "mediaType": _INDEX, "manifests": [named]}))
    (layout / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))
    return manifest.digest


class _Blob:
    """Content under its own digest."""

    def __init__(self, kind: str, content: bytes) -> None:
        self.content = content
        self.digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.descriptor = {"mediaType": kind, "digest": self.digest, "size": len(content)}


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
