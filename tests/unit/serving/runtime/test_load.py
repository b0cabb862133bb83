# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kelp.errors import EnvironmentFault, InputError, IntegrityError
from kelp.home import SIGNING_PUBLIC_KEY, ensure_home
from serving.runtime.load import Policy, check_digests, load_version, pseudonym_key, signature_check

CONTENT = {"model.onnx": b"model", "transform.json": b"{}", "golden.json": b"{}", "card.md": b"# card"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in CONTENT.items():
        (tmp_path / name).write_bytes(content)
    write_manifest(tmp_path, {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()})
    return tmp_path


def write_manifest(folder: Path, files: Any) -> None:
    (folder / "manifest.json").write_text(json.dumps({"files": files, "seed": 7}))


def digests(folder: Path) -> dict[str, str]:
    listed: dict[str, str] = json.loads((folder / "manifest.json").read_text())["files"]
    return listed


def test_files_that_are_what_the_manifest_says_pass(folder: Path) -> None:
    (folder / "signature").write_text("not listed")
    check_digests(folder)


@pytest.mark.parametrize("name", list(CONTENT))
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        pytest.param(lambda path: path.write_bytes(b"other"), "its SHA-256 is", id="changed"),
        pytest.param(lambda path: path.unlink(), "cannot be read", id="missing"),
    ],
)
def test_changed_or_missing_file_is_named(
    folder: Path, name: str, damage: Callable[[Path], object], message: str
) -> None:
    damage(folder / name)
    with pytest.raises(IntegrityError, match=message) as caught:
        check_digests(folder)
    assert caught.value.place == str(folder / name)


@pytest.mark.parametrize("name", ["model.onnx", "transform.json", "golden.json"])
def test_file_we_load_must_be_listed(folder: Path, name: str) -> None:
    write_manifest(folder, {key: value for key, value in digests(folder).items() if key != name})
    with pytest.raises(IntegrityError, match=f"does not list {name}"):
        check_digests(folder)


def test_history_that_is_there_must_be_listed(folder: Path) -> None:
    (folder / "history.parquet").write_bytes(b"added later")
    with pytest.raises(IntegrityError, match=r"does not list history\.parquet"):
        check_digests(folder)


@pytest.mark.parametrize("name", ["weights.bin", "card.md.bak", "deep/er/file"])
def test_file_that_the_manifest_does_not_list_is_refused(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"added later")
    with pytest.raises(IntegrityError, match="not listed in the manifest") as caught:
        check_digests(folder)
    assert caught.value.place == str(folder / name)


def test_link_that_the_manifest_does_not_list_is_refused(folder: Path) -> None:
    (folder / "linked").symlink_to("/")
    with pytest.raises(IntegrityError, match="not listed in the manifest"):
        check_digests(folder)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", ["model.bin", "card"])
def test_pickle_is_refused_though_it_is_listed(folder: Path, name: str, protocol: int) -> None:
    content = pickle.dumps({"weights": [1.0]}, protocol=protocol)
    (folder / name).write_bytes(content)
    write_manifest(folder, {**digests(folder), name: hashlib.sha256(content).hexdigest()})
    with pytest.raises(IntegrityError, match="is a pickle"):
        check_digests(folder)


def test_name_of_a_pickle_is_refused_whatever_is_in_it(folder: Path) -> None:
    (folder / "model.pkl").write_bytes(b"text")
    write_manifest(folder, {**digests(folder), "model.pkl": hashlib.sha256(b"text").hexdigest()})
    with pytest.raises(IntegrityError, match="is a pickle"):
        check_digests(folder)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname"])
def test_file_outside_the_folder_is_refused(folder: Path, name: str) -> None:
    write_manifest(folder, {**digests(folder), name: "0" * 64})
    with pytest.raises(IntegrityError, match="outside"):
        check_digests(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": []}', '{"files": {"model.onnx": null}}', "\xff"])
def test_malformed_manifest_is_refused(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(IntegrityError) as caught:
        check_digests(folder)
    assert caught.value.place == str(folder / "manifest.json")


def test_nothing_is_read_before_the_signature_is_verified(tmp_path: Path) -> None:
    def refuse(folder: Path) -> None:
        raise IntegrityError("no", place=str(folder))

    with pytest.raises(IntegrityError, match="no"):
        load_version(tmp_path / "absent", refuse)


@pytest.fixture
def public_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("workspace")
    ensure_home(workspace)
    return workspace / "keys" / SIGNING_PUBLIC_KEY


def test_unsigned_version_is_refused_where_a_signature_is_asked_for(folder: Path, public_key: Path) -> None:
    with pytest.raises(IntegrityError, match="not signed"):
        signature_check("required", public_key)(folder)


@pytest.mark.parametrize("policy", ["required", "if-present"])
@pytest.mark.parametrize("signature", ["", "{}", "not json"])
def test_damaged_signature_is_refused(folder: Path, public_key: Path, signature: str, policy: Policy) -> None:
    (folder / "signature").write_text(signature)
    with pytest.raises(IntegrityError, match="does not fit"):
        signature_check(policy, public_key)(folder)


def test_unsigned_version_passes_where_a_signature_may_be_absent(folder: Path, public_key: Path) -> None:
    signature_check("if-present", public_key)(folder)


def test_signature_that_no_key_checks_is_said(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    signature_check("if-present", None)(folder)
    assert caplog.messages == []
    (folder / "signature").write_text("{}")
    signature_check("if-present", None)(folder)
    assert "is not checked: there is no --public-key" in caplog.text


def test_missing_public_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"key\.pem: the public key cannot be read"):
        signature_check("if-present", tmp_path / "key.pem")


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PUBLIC KEY-----", b"\xff"])
def test_file_that_is_no_public_key_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key.pem").write_bytes(content)
    with pytest.raises(InputError, match="expected an EC public key"):
        signature_check("if-present", tmp_path / "key.pem")


def test_key_of_pseudonyms_is_the_files_bytes(tmp_path: Path) -> None:
    path = tmp_path / "pseudonym.key"
    path.write_bytes(b" 32 bytes, the last is a newline\n")
    assert pseudonym_key(path) == b" 32 bytes, the last is a newline\n"


def test_key_of_pseudonyms_that_is_missing_or_empty_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"absent: the key of pseudonyms cannot be read"):
        pseudonym_key(tmp_path / "absent")
    (tmp_path / "empty").touch()
    with pytest.raises(InputError, match="found an empty file"):
        pseudonym_key(tmp_path / "empty")


def test_public_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate().public_key()
    (tmp_path / "key.pem").write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(InputError, match="another kind"):
        signature_check("if-present", tmp_path / "key.pem")
