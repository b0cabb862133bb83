# SPDX-License-Identifier: Apache-2.0
"""Versions get numbers that are never used again; what comes out is what went in, or an error that says why not."""

import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import BinaryIO

import pytest

from kelp.errors import Conflict, EnvironmentFault, InputError, IntegrityError, NotFound
from kelp.home import Home
from kelp.registry import Registry
from kelp.store import Digest
from kelp.store.folder import FolderStore

NewVersion = Callable[[str], Path]  # the fixture: from a run to its version directory


def actions(registry: Registry) -> list[str]:
    return [entry.record.action for entry in registry.log.entries(0, 100)]


def test_versions_are_numbered_from_one(registry: Registry, new_version: NewVersion) -> None:
    assert [registry.add("fraud", run, new_version(run)) for run in ("r-1", "r-2")] == [1, 2]
    assert registry.add("churn", "r-3", new_version("r-3")) == 1
    assert registry.models() == ["churn", "fraud"]


def test_the_record_of_a_version_has_the_digests_that_vouch_for_it(registry: Registry, new_version: NewVersion) -> None:
    folder = new_version("r-1")
    registry.add("fraud", "r-1", folder)
    record = registry.log.entries(0, 100)[-1].record
    assert (record.action, record.subject) == ("version.register", "fraud/1")
    assert {name: type(value) for name, value in record.detail.items()} == dict.fromkeys(
        ("run", "result", "manifest", "signature"), str
    )


def test_adding_the_same_run_again_changes_nothing(registry: Registry, new_version: NewVersion) -> None:
    folder = new_version("r-1")
    registry.add("fraud", "r-1", folder)
    before = actions(registry)
    (folder / "signature").write_text("signed once more")  # as `register` does when it is run again
    assert registry.add("fraud", "r-1", folder) == 1
    assert actions(registry) == before
    assert [version.number for version in registry.versions("fraud")] == [1]


def test_the_same_run_with_another_model_is_refused(registry: Registry, new_version: NewVersion) -> None:
    folder = new_version("r-1")
    registry.add("fraud", "r-1", folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"result": "fail"}))
    with pytest.raises(IntegrityError, match="registered it before, with another manifest"):
        registry.add("fraud", "r-1", folder)


def test_a_directory_that_does_not_fit_its_manifest_takes_no_number(
    registry: Registry, new_version: NewVersion
) -> None:
    folder = new_version("r-1")
    (folder / "model.onnx").write_text("another model")
    with pytest.raises(IntegrityError, match=r"model\.onnx was changed"):
        registry.add("fraud", "r-1", folder)
    assert actions(registry) == []


def test_a_number_is_not_used_again_when_its_version_is_gone(
    home: Home, registry: Registry, new_version: NewVersion
) -> None:
    registry.add("fraud", "r-1", new_version("r-1"))
    for item in list(registry.store.list("fraud/1")):
        registry.store.delete(item.key)
    assert registry.add("fraud", "r-2", new_version("r-2")) == 2


def test_two_runs_at_once_get_different_numbers(home: Home, new_version: NewVersion) -> None:
    runs = [f"r-{i}" for i in range(4)]
    folders = {run: new_version(run) for run in runs}
    together = Barrier(len(runs))

    def add(run: str) -> int:
        registry = Registry.open(home, f"run:{run}")
        with registry.log:
            together.wait(timeout=30)
            return registry.add("fraud", run, folders[run])

    with ThreadPoolExecutor(len(runs)) as pool:
        numbers = list(pool.map(add, runs))
    assert sorted(numbers) == [1, 2, 3, 4]


class FullDisk(FolderStore):
    """A store that takes so many files and no more."""

    def __init__(self, root: Path, files: int) -> None:
        super().__init__(root)
        self._left = files

    def put(self, key: str, source: Path | BinaryIO) -> Digest:
        if self._left == 0:
            raise EnvironmentFault("the disk is full", place=key)
        self._left -= 1
        return super().put(key, source)


@pytest.mark.parametrize("stored", [0, 1, 3])
def test_a_registration_that_was_cut_off_is_finished_by_the_next(
    home: Home, registry: Registry, new_version: NewVersion, stored: int
) -> None:
    """The number was taken and some files were stored; without a manifest there is no version."""
    folder = new_version("r-1")
    cut_off = Registry(FullDisk(Path(home.registry), stored), registry.log)
    with pytest.raises(EnvironmentFault, match="the disk is full"):
        cut_off.add("fraud", "r-1", folder)
    assert registry.versions("fraud") == []
    with pytest.raises(NotFound):
        registry.fetch("fraud", 1, folder.parent / "fetched")
    number = registry.add("fraud", "r-1", folder)
    assert number == 2
    assert registry.add("fraud", "r-1", folder) == 2
    assert [version.number for version in registry.versions("fraud")] == [2]
    assert actions(registry).count("version.register") == 1


def test_a_registration_that_was_cut_off_before_its_record_keeps_its_number(
    home: Home, registry: Registry, new_version: NewVersion
) -> None:
    folder = new_version("r-1")
    for name in ("model.onnx", "deep/report.html", "signature", "manifest.json"):
        registry.store.put(f"fraud/1/{name}", folder / name)
    assert registry.add("fraud", "r-1", folder) == 1
    assert actions(registry) == ["version.register"]


def test_fetch_brings_every_file(registry: Registry, new_version: NewVersion, tmp_path: Path) -> None:
    folder = new_version("r-1")
    registry.add("fraud", "r-1", folder)
    fetched = registry.fetch("fraud", 1, tmp_path / "a" / "fetched")
    names = {path.relative_to(fetched).as_posix() for path in fetched.rglob("*") if path.is_file()}
    assert names == {"model.onnx", "deep/report.html", "manifest.json", "signature"}
    assert (fetched / "model.onnx").read_bytes() == (folder / "model.onnx").read_bytes()


@pytest.mark.parametrize(
    ("key", "content", "said"),
    [
        pytest.param("fraud/1/model.onnx", b"flipped", "model.onnx was changed", id="changed"),
        pytest.param("fraud/1/extra.py", b"import os", "extra.py was added", id="added"),
        pytest.param("fraud/1/deep/report.html", None, "deep/report.html was removed", id="removed"),
        pytest.param("fraud/1/manifest.json", b"{", "expected a manifest, found no JSON", id="manifest cut off"),
        pytest.param("fraud/1/manifest.json", b"[]", "expected a manifest with files", id="manifest of another kind"),
        pytest.param("fraud/1/manifest.json", b"\xff", "found no JSON", id="manifest of bytes"),
        pytest.param(
            "fraud/1/manifest.json", b'{"files": [], "run": "r", "result": "pass"}', "with files", id="a list of files"
        ),
    ],
)
def test_fetch_refuses_what_was_not_registered_and_leaves_nothing(
    registry: Registry, new_version: NewVersion, tmp_path: Path, key: str, content: bytes | None, said: str
) -> None:
    registry.add("fraud", "r-1", new_version("r-1"))
    if content is None:
        registry.store.delete(key)
    else:
        registry.store.write_bytes(key, content)
    with pytest.raises(IntegrityError) as caught:
        registry.fetch("fraud", 1, tmp_path / "fetched")
    assert said in caught.value.message
    assert not (tmp_path / "fetched").exists()


def test_every_wrong_file_is_named(registry: Registry, new_version: NewVersion, tmp_path: Path) -> None:
    registry.add("fraud", "r-1", new_version("r-1"))
    registry.store.write_bytes("fraud/1/model.onnx", b"x")
    registry.store.write_bytes("fraud/1/a", b"x")
    registry.store.delete("fraud/1/deep/report.html")
    with pytest.raises(IntegrityError, match=r"deep/report\.html was removed; a was added; model\.onnx was changed"):
        registry.fetch("fraud", 1, tmp_path / "fetched")


def test_fetch_does_not_mix_with_what_is_there(registry: Registry, new_version: NewVersion, tmp_path: Path) -> None:
    registry.add("fraud", "r-1", new_version("r-1"))
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(Conflict):
        registry.fetch("fraud", 1, tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(("model", "number"), [("fraud", 7), ("other", 1), ("fraud", 0), ("fraud", -1)])
def test_a_version_that_does_not_exist_is_not_found(
    registry: Registry, new_version: NewVersion, tmp_path: Path, model: str, number: int
) -> None:
    registry.add("fraud", "r-1", new_version("r-1"))
    with pytest.raises(NotFound, match=f"there is no version {number}") as caught:
        registry.fetch(model, number, tmp_path / "fetched")
    assert caught.value.fix == f"kelp models {model} lists them"


@pytest.mark.parametrize("model", ["../fraud", "/fraud", "Fraud", "a/b"])
def test_a_hostile_name_is_refused(registry: Registry, model: str) -> None:
    with pytest.raises(InputError):
        registry.versions(model)


def test_aliases_say_which_version_counts(home: Home, registry: Registry, new_version: NewVersion) -> None:
    for run in ("r-1", "r-2"):
        registry.add("fraud", run, new_version(run))
    assert registry.champion("fraud") is None
    registry.move("fraud", "champion", 1, "first")
    registry.move("fraud", "challenger", 2, "passed its gates")
    assert registry.aliases("fraud") == {"champion": 1, "challenger": 2}
    assert [(version.number, version.aliases) for version in registry.versions("fraud")] == [
        (1, ("champion",)),
        (2, ("challenger",)),
    ]
    published = Path(home.registry) / "fraud" / "aliases.json"
    assert json.loads(published.read_text()) == {"champion": 1, "challenger": 2}


def test_moving_an_alias_to_where_it_stands_is_no_record(registry: Registry, new_version: NewVersion) -> None:
    registry.add("fraud", "r-1", new_version("r-1"))
    registry.move("fraud", "champion", 1, "first")
    before = actions(registry)
    registry.move("fraud", "champion", 1, "again")
    assert actions(registry) == before


def test_closing_twice_is_one_record(registry: Registry, new_version: NewVersion) -> None:
    registry.add("fraud", "r-1", new_version("r-1"))
    registry.close("fraud", 1, "rejected")
    registry.close("fraud", 1, "rejected")
    assert actions(registry).count("version.close") == 1


def test_the_champions_folder_is_that_of_its_version(
    registry: Registry, new_version: NewVersion, tmp_path: Path
) -> None:
    assert registry.champion_folder("fraud", tmp_path / "none") is None
    registry.add("fraud", "r-1", new_version("r-1"))
    registry.move("fraud", "champion", 1, "first")
    folder = registry.champion_folder("fraud", tmp_path / "champion")
    assert folder is not None
    assert (folder / "model.onnx").read_text() == "the model of r-1"


def test_other_files_of_the_registry_are_no_versions(registry: Registry, new_version: NewVersion) -> None:
    registry.add("fraud", "r-1", new_version("r-1"))
    for key in (
        "fraud/aliases.json",
        "fraud/latest/manifest.json",
        "fraud/²/manifest.json",
        "fraud/2/deep/manifest.json",
    ):
        registry.store.put(key, io.BytesIO(b"{}"))
    assert [version.number for version in registry.versions("fraud")] == [1]


def test_a_broken_manifest_is_named_by_the_list(registry: Registry, new_version: NewVersion) -> None:
    registry.add("fraud", "r-1", new_version("r-1"))
    registry.store.write_bytes("fraud/1/manifest.json", b"not JSON")
    with pytest.raises(IntegrityError) as caught:
        registry.versions("fraud")
    assert caught.value.place == "fraud/1/manifest.json"
