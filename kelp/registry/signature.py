# SPDX-License-Identifier: Apache-2.0
"""Sign and verify a version directory with OpenSSF model signing and an EC key, without a network."""

from pathlib import Path

from kelp.errors import IntegrityError
from kelp.registry.manifest import SIGNATURE


def sign(folder: Path, private_key: Path) -> None:
    """Write `folder/signature` over every other file of the folder.

    Args:
        folder: a complete version directory.
        private_key: PEM file of an EC P-256 key.
    """
    from model_signing import hashing, signing

    signature = folder / SIGNATURE
    signature.unlink(missing_ok=True)
    hashes = hashing.Config().set_ignored_paths(paths=[signature], ignore_git_paths=False)
    signing.Config().use_elliptic_key_signer(private_key=private_key).set_hashing_config(hashes).sign(folder, signature)


def verify(folder: Path, public_key: Path) -> None:
    """Check `folder/signature` against every other file of the folder.

    Raises:
        IntegrityError: no signature, another key, or a file that was changed, added or removed.
    """
    from model_signing import hashing, verifying

    signature = folder / SIGNATURE
    if not signature.is_file():
        raise IntegrityError("the version is not signed", place=str(signature))
    hashes = hashing.Config().set_ignored_paths(paths=[signature], ignore_git_paths=False)
    config = verifying.Config().use_elliptic_key_verifier(public_key=public_key).set_hashing_config(hashes)
    try:
        config.verify(folder, signature)
    except Exception as error:  # the library raises ValueError, InvalidSignature, KeyError... for bad bytes
        raise IntegrityError(f"the signature does not fit: {error}", place=str(folder)) from error
