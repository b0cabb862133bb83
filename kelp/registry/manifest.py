# SPDX-License-Identifier: Apache-2.0
"""The manifest of a version directory: the digest of every other file but the signature, and where it came from."""

import json
from pathlib import Path
from typing import Any

from kelp.errors import IntegrityError
from kelp.parquet import folder_digests

MANIFEST = "manifest.json"
SIGNATURE = "signature"


def read_manifest(content: bytes, place: str) -> dict[str, Any]:
    """The manifest in `content`, with at least the fields that the registry itself reads.

    Args:
        content: of manifest.json.
        place: where it comes from, for messages.

    Raises:
        IntegrityError: it is something else.
    """
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"expected a manifest, found no JSON: {error}", place=place, fix=_FIX) from error
    if not isinstance(manifest, dict) or not _is_whole(manifest):
        raise IntegrityError("expected a manifest with files, run and result", place=place, fix=_FIX)
    return manifest


_FIX = "restore the version, or register it again"


def _is_whole(manifest: dict[str, Any]) -> bool:
    files = manifest.get("files")
    return isinstance(files, dict) and all(
        isinstance(value, str) for value in (*files.values(), manifest.get("run"), manifest.get("result"))
    )


def check_files(folder: Path) -> None:
    """Hold a version directory against its own manifest.

    Raises:
        IntegrityError: naming every file that was changed, added or removed.
    """
    place = folder / MANIFEST
    try:
        content = place.read_bytes()
    except OSError as error:
        raise IntegrityError(f"the manifest cannot be read ({error.strerror})", place=str(place), fix=_FIX) from error
    expected = read_manifest(content, str(place))["files"]
    found = folder_digests(folder)
    present = {name: found[name] for name in found if name not in (MANIFEST, SIGNATURE)}
    wrong = [f"{name} was removed" for name in expected if name not in present]
    wrong += [f"{name} was added" for name in present if name not in expected]
    wrong += [f"{name} was changed" for name in expected if present.get(name, expected[name]) != expected[name]]
    if wrong:
        raise IntegrityError("; ".join(wrong), place=str(folder), fix=_FIX)
