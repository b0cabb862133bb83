# SPDX-License-Identifier: Apache-2.0
"""Check a version directory, then load it: its signature, its digests, its answers to the golden rows."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kelp.errors import IntegrityError
from kelp.frame.scorer import GOLDEN_FILE, MODEL_FILE, TRANSFORM_FILE, Scorer

MANIFEST_FILE = "manifest.json"
SIGNATURE_FILE = "signature"
_FETCH = "fetch the version from the registry again"

Verify = Callable[[Path], None]
"""Raise IntegrityError unless a version directory is signed as it must be."""


def load_version(folder: Path, verify: Verify | None = None) -> Scorer:
    """Load a version directory that is what its manifest says.

    Args:
        folder: holds manifest.json, model.onnx, transform.json, golden.json and maybe more.
        verify: checks the signature first; None accepts unsigned versions.

    Raises:
        IntegrityError: a signature, digest or golden score differs, or a file is missing; the place is the file.
    """
    if verify is not None:
        verify(folder)
    check_digests(folder)
    scorer = Scorer.load(folder)
    scorer.check_golden(folder)
    return scorer


def check_digests(folder: Path) -> None:
    """Compare every file that `manifest.json` lists with its SHA-256; files it does not list are never read.

    Raises:
        IntegrityError: as `load_version`.
    """
    for name, expected in _listed(folder / MANIFEST_FILE).items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise IntegrityError(f"lists {name}, which is outside", place=str(folder / MANIFEST_FILE), fix=_FETCH)
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise IntegrityError(f"cannot be read ({error.strerror})", place=str(path), fix=_FETCH) from error
        if found != expected:
            raise IntegrityError(f"its SHA-256 is {found}, recorded is {expected}", place=str(path), fix=_FETCH)


def _listed(manifest: Path) -> dict[str, Any]:
    """File names and digests, the files we load among them."""
    try:
        files = json.loads(manifest.read_bytes())["files"]
    except OSError as error:
        raise IntegrityError(f"cannot be read ({error.strerror})", place=str(manifest), fix=_FETCH) from error
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError("expected a JSON object with `files`", place=str(manifest), fix=_FETCH) from error
    if not isinstance(files, dict):
        raise IntegrityError("expected `files` to be an object of digests by name", place=str(manifest), fix=_FETCH)
    for name in (MODEL_FILE, TRANSFORM_FILE, GOLDEN_FILE):
        if name not in files:
            raise IntegrityError(f"does not list {name}", place=str(manifest), fix=_FETCH)
    return files


def signed_with(public_key: Path) -> Verify:
    """Build the check that `signature` is OpenSSF model signing's of the whole directory, made with this EC key."""

    def verify(folder: Path) -> None:
        from model_signing import hashing, verifying

        signature = folder / SIGNATURE_FILE
        if not signature.is_file():
            raise IntegrityError(
                "the version is not signed, and --public-key asks for a signature", place=str(signature), fix=_FETCH
            )
        everything_else = hashing.Config()  # type: ignore[no-untyped-call]  # partly typed
        everything_else.set_ignored_paths(paths=[signature], ignore_git_paths=False)
        try:
            config = verifying.Config()  # type: ignore[no-untyped-call]
            config.use_elliptic_key_verifier(public_key=public_key)
            config.set_hashing_config(everything_else).verify(folder, signature)
        except Exception as error:  # of many kinds: a wrong key, a damaged bundle, a changed file; each means no
            raise IntegrityError(
                f"does not verify with {public_key}: {type(error).__name__}: {error}", place=str(signature), fix=_FETCH
            ) from error

    return verify
