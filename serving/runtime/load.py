# SPDX-License-Identifier: Apache-2.0
"""Check a version directory, then load it: its signature, its digests, its answers to the golden rows."""

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from kelp.errors import EnvironmentFault, InputError, IntegrityError
from kelp.frame.history_table import HISTORY_FILE
from kelp.frame.online import Online
from kelp.frame.scorer import GOLDEN_FILE, MODEL_FILE, TRANSFORM_FILE
from kelp.parquet import file_digest
from kelp.registry.manifest import MANIFEST, SIGNATURE
from kelp.registry.signature import verify
from serving.trees.choose import faster

_FETCH = "fetch the version from the registry again"
_ONNX = "models are served as ONNX; package the version without it"
_PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth")

Verify = Callable[[Path], None]
"""Raise IntegrityError unless a version directory is signed as it must be."""
Policy = Literal["required", "if-present"]

logger = logging.getLogger(__name__)


def load_version(folder: Path, check_signature: Verify | None = None, key: bytes | None = None) -> tuple[Online, str]:
    """Load a version directory that is what its manifest says, with whatever scores its rows the fastest.

    Args:
        folder: holds manifest.json, model.onnx, transform.json, golden.json and maybe more.
        check_signature: is asked first; None accepts unsigned versions.
        key: makes the pseudonyms of private columns.

    Returns:
        The version, and its manifest's SHA-256.

    Raises:
        IntegrityError: a signature, digest or golden score differs, or a file is missing; the place is the file.
        EnvironmentFault: a column is private, and there is no key.
    """
    if check_signature is not None:
        check_signature(folder)
    manifest = check_digests(folder)
    online = Online.load(folder, key)
    rows = online.scorer.check_golden(folder)
    online = replace(online, scorer=faster(online.scorer, folder, rows))
    check_digests(folder, manifest)  # nobody put other files there meanwhile
    return online, manifest


def check_digests(folder: Path, manifest: str | None = None) -> str:
    """Compare every file with the SHA-256 that `manifest.json` lists for it; none may be there that it does not list.

    Args:
        folder: the version directory.
        manifest: the manifest's own SHA-256, if it is known; None trusts the one that is there.

    Returns:
        The manifest's own SHA-256.

    Raises:
        IntegrityError: as `load_version`.
    """
    content = _manifest(folder / MANIFEST)
    digest = hashlib.sha256(content).hexdigest()
    if manifest not in (None, digest):
        raise IntegrityError("was changed since the version was loaded", place=str(folder / MANIFEST), fix=_FETCH)
    listed = _listed(folder / MANIFEST, content)
    _refuse_others(folder, listed)
    for name, expected in listed.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise IntegrityError(f"lists {name}, which is outside", place=str(folder / MANIFEST), fix=_FETCH)
        try:
            found = file_digest(path)
        except OSError as error:
            raise IntegrityError(f"cannot be read ({error.strerror})", place=str(path), fix=_FETCH) from error
        if found != expected:
            raise IntegrityError(f"its SHA-256 is {found}, recorded is {expected}", place=str(path), fix=_FETCH)
    return digest


def _refuse_others(folder: Path, listed: dict[str, Any]) -> None:
    """Refuse a file that the manifest does not list, and any pickle: loading one runs the code in it."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() and not path.is_symlink():
            continue
        if name not in listed and name not in (MANIFEST, SIGNATURE):
            raise IntegrityError("is not listed in the manifest", place=str(path), fix=_FETCH)
        if not path.is_file():  # reading a pipe would wait for ever
            raise IntegrityError("expected a file, found none", place=str(path), fix=_FETCH)
        if path.suffix in _PICKLES or _starts_as_pickle(path):
            raise IntegrityError("is a pickle, which may run any code when it is loaded", place=str(path), fix=_ONNX)


def _starts_as_pickle(path: Path) -> bool:
    """Whether the first two bytes are those of a pickle: the opcode PROTO and a protocol from 2 on."""
    try:
        with path.open("rb") as file:
            start = file.read(2)
    except OSError:
        return False  # the comparison of digests says what is wrong with it
    return len(start) == 2 and start[0] == 0x80 and 2 <= start[1] <= 5


def _manifest(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise IntegrityError(f"cannot be read ({error.strerror})", place=str(path), fix=_FETCH) from error


def _listed(manifest: Path, content: bytes) -> dict[str, Any]:
    """File names and digests, the files we load among them: of the history's, if it is there."""
    try:
        files = json.loads(content)["files"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise IntegrityError("expected a JSON object with `files`", place=str(manifest), fix=_FETCH) from error
    if not isinstance(files, dict):
        raise IntegrityError("expected `files` to be an object of digests by name", place=str(manifest), fix=_FETCH)
    for name in (MODEL_FILE, TRANSFORM_FILE, GOLDEN_FILE, HISTORY_FILE):
        if name not in files and (name != HISTORY_FILE or (manifest.parent / name).exists()):
            raise IntegrityError(f"does not list {name}", place=str(manifest), fix=_FETCH)
    return files


def signature_check(policy: Policy, public_key: Path | None) -> Verify:
    """Build the check of signatures that a policy asks for.

    Args:
        policy: whether an unsigned version is refused.
        public_key: EC key in PEM; None checks no signature, which is said for every version that has one.

    Raises:
        EnvironmentFault: the key cannot be read.
        InputError: it is no EC public key in PEM.
    """
    if public_key is None:
        return _warn_if_signed
    key = _checked_key(public_key)

    def check(folder: Path) -> None:
        if policy == "required" or (folder / SIGNATURE).exists():
            verify(folder, key)

    return check


def _warn_if_signed(folder: Path) -> None:
    if (folder / SIGNATURE).exists():
        logger.warning("the signature of %s is not checked: there is no --public-key", folder)


def _checked_key(public_key: Path) -> Path:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(public_key.read_bytes())
    except OSError as error:
        raise EnvironmentFault(f"the public key cannot be read ({error.strerror})", place=str(public_key)) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError("expected an EC public key in PEM, found something else", place=str(public_key)) from error
    if not isinstance(key, EllipticCurvePublicKey):
        raise InputError("expected an EC public key, found one of another kind", place=str(public_key))
    return public_key


def pseudonym_key(path: Path) -> bytes:
    """Read the key of pseudonyms.

    Raises:
        EnvironmentFault: it cannot be read.
        InputError: it is empty.
    """
    try:
        key = path.read_bytes()
    except OSError as error:
        raise EnvironmentFault(f"the key of pseudonyms cannot be read ({error.strerror})", place=str(path)) from error
    if not key:
        raise InputError("expected the key of pseudonyms, found an empty file", place=str(path))
    return key
