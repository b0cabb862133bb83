# SPDX-License-Identifier: Apache-2.0
"""A signature covers every file of a version and fits one key."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kelp.errors import IntegrityError
from kelp.home import SIGNING_KEY, SIGNING_PUBLIC_KEY, Home, ensure_home
from kelp.registry.signature import sign, verify

NewVersion = Callable[[str], Path]  # the fixture: from a run to its version directory


def flip(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


@pytest.fixture
def signed(home: Home, new_version: NewVersion) -> Path:
    folder = new_version("r-1")
    sign(folder, Path(home.keys) / SIGNING_KEY)
    return folder


def test_what_was_signed_is_verified(home: Home, signed: Path) -> None:
    verify(signed, Path(home.keys) / SIGNING_PUBLIC_KEY)


def test_signing_again_replaces_the_signature(home: Home, signed: Path) -> None:
    (signed / "model.onnx").write_text("a better model")
    sign(signed, Path(home.keys) / SIGNING_KEY)
    verify(signed, Path(home.keys) / SIGNING_PUBLIC_KEY)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda folder: flip(folder / "model.onnx"), id="a flipped byte"),
        pytest.param(lambda folder: flip(folder / "deep" / "report.html"), id="a flipped byte below"),
        pytest.param(lambda folder: (folder / "extra.py").write_text("import os"), id="an extra file"),
        pytest.param(lambda folder: (folder / ".gitignore").write_text("*"), id="an extra file of git"),
        pytest.param(lambda folder: (folder / "model.onnx").unlink(), id="a missing file"),
        pytest.param(lambda folder: (folder / "model.onnx").rename(folder / "m.onnx"), id="another name"),
        pytest.param(lambda folder: flip(folder / "signature"), id="a flipped byte of the signature"),
        pytest.param(lambda folder: (folder / "signature").write_text(""), id="an empty signature"),
        pytest.param(lambda folder: (folder / "signature").write_text("{}"), id="a signature of nothing"),
        pytest.param(lambda folder: (folder / "signature").write_bytes(b"\xff\xfe"), id="a signature of bytes"),
    ],
)
def test_whatever_was_changed_after_signing_is_refused(
    home: Home, signed: Path, spoil: Callable[[Path], object]
) -> None:
    spoil(signed)
    with pytest.raises(IntegrityError, match="the signature does not fit") as caught:
        verify(signed, Path(home.keys) / SIGNING_PUBLIC_KEY)
    assert caught.value.place == str(signed)


def test_another_key_is_refused(signed: Path, tmp_path: Path) -> None:
    ensure_home(tmp_path / "other")
    with pytest.raises(IntegrityError, match="the signature does not fit"):
        verify(signed, tmp_path / "other" / "keys" / SIGNING_PUBLIC_KEY)


def test_a_version_without_signature_is_refused(home: Home, new_version: NewVersion) -> None:
    folder = new_version("r-1")
    (folder / "signature").unlink()
    with pytest.raises(IntegrityError, match="the version is not signed"):
        verify(folder, Path(home.keys) / SIGNING_PUBLIC_KEY)
