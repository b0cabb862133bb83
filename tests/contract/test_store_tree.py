# SPDX-License-Identifier: Apache-2.0
"""Whole folders into a store and back, on a folder and on a real S3 server."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kelp.errors import Conflict, InputError, IntegrityError, NotFound
from kelp.store import Store, get_folder, open_store, put_folder
from tests.contract.store_server import BUCKET, S3Server, a_home, an_s3_store, running_s3

FILES = {"manifest.json": b"{}", "model.onnx": b"x" * 100_000, "deep/er/empty": b""}


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        (tmp_path / "root").mkdir()
        return open_store(str(tmp_path / "root"), a_home(tmp_path))
    server: S3Server = request.getfixturevalue("s3_server")
    return an_s3_store(tmp_path, server.endpoint, f"s3://{BUCKET}/{tmp_path.name}")


def a_folder(path: Path) -> Path:
    for name, content in FILES.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    (path / "without files").mkdir()
    return path


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("prefix", ["", "fraud/1"])
def test_a_folder_comes_back_as_it_was_put(store: Store, tmp_path: Path, prefix: str) -> None:
    digests = put_folder(store, a_folder(tmp_path / "source"), prefix)
    assert digests.keys() == FILES.keys()
    target = tmp_path / "new" / "target"
    assert get_folder(store, prefix, target, sha256=digests) == digests
    assert files_below(target) == FILES
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_the_last_file_appears_last(store: Store, tmp_path: Path) -> None:
    digests = put_folder(store, a_folder(tmp_path / "source"), "fraud/1", last="manifest.json")
    assert list(digests) == ["deep/er/empty", "model.onnx", "manifest.json"]
    with pytest.raises(NotFound, match=r"no file signature in the folder"):
        put_folder(store, tmp_path / "source", "fraud/2", last="signature")
    assert list(store.list("fraud/2")) == []


@pytest.mark.parametrize("kind", ["file link", "folder link", "dangling link", "pipe", "hostile name"])
def test_what_cannot_be_stored_is_refused_before_anything_is(store: Store, tmp_path: Path, kind: str) -> None:
    source = a_folder(tmp_path / "source")
    match kind:
        case "file link":
            (source / "z").symlink_to(source / "manifest.json")
        case "folder link":
            (source / "z").symlink_to(source / "deep")
        case "dangling link":
            (source / "z").symlink_to(source / "nothing")
        case "pipe":
            os.mkfifo(source / "z")
        case _:
            (source / "z\\z").touch()
    with pytest.raises(InputError, match=r"regular files can be stored|backslash"):
        put_folder(store, source, "fraud/1")
    assert list(store.list()) == []


def test_a_folder_without_files_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "source" / "deep").mkdir(parents=True)
    with pytest.raises(InputError, match="holds no file"):
        put_folder(store, tmp_path / "source", "fraud/1")
    with pytest.raises(NotFound, match="no such folder"):
        put_folder(store, tmp_path / "missing", "fraud/1")


def test_a_prefix_without_keys_is_not_found(store: Store, tmp_path: Path) -> None:
    store.write_bytes("fraud2/1/x", b"1")
    with pytest.raises(NotFound, match="fraud"):
        get_folder(store, "fraud", tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_folder_that_differs_from_its_digests_does_not_appear(store: Store, tmp_path: Path) -> None:
    digests = dict(put_folder(store, a_folder(tmp_path / "source"), "fraud/1"))
    target = tmp_path / "target"

    with pytest.raises(IntegrityError, match=r"missing: card\.md; unexpected: none"):
        get_folder(store, "fraud/1", target, sha256={**digests, "card.md": "0" * 64})
    store.write_bytes("fraud/1/extra", b"x")
    with pytest.raises(IntegrityError, match="missing: none; unexpected: extra"):
        get_folder(store, "fraud/1", target, sha256=digests)
    store.delete("fraud/1/extra")
    store.write_bytes("fraud/1/model.onnx", b"forged")
    with pytest.raises(IntegrityError, match=f"model.onnx: expected sha256 {digests['model.onnx']}"):
        get_folder(store, "fraud/1", target, sha256=digests)

    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".partial")] == []
    assert not target.exists()


def test_only_an_empty_folder_is_replaced(store: Store, tmp_path: Path) -> None:
    put_folder(store, a_folder(tmp_path / "source"), "fraud/1")
    target = tmp_path / "target"
    target.mkdir()
    get_folder(store, "fraud/1", target)
    assert files_below(target) == FILES
    with pytest.raises(Conflict, match="not an empty folder"):
        get_folder(store, "fraud/1", target)
    with pytest.raises(Conflict, match="not an empty folder"):
        get_folder(store, "fraud/1", target / "manifest.json")
