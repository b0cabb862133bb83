# SPDX-License-Identifier: Apache-2.0
"""Whatever is done to a registered version or its snapshot, the check names it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kelp.home import Home
from kelp.registry import Registry
from kelp.registry.check import check_everything

NewVersion = Callable[[str], Path]  # the fixture: from a run to its version directory

FILES_OF_A_VERSION = 5  # manifest, signature, model.onnx, deep/report.html and the snapshot


@pytest.fixture
def filled(registry: Registry, new_version: NewVersion) -> Registry:
    for run in ("r-1", "r-2"):
        registry.move("fraud", "champion", registry.add("fraud", run, new_version(run)), "passed")
    return registry


def flip(path: Path) -> None:
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])


def snapshot_of(home: Home, number: int) -> Path:
    manifest = json.loads((Path(home.registry) / "fraud" / str(number) / "manifest.json").read_text())
    return Path(home.store) / "snapshots" / f"{manifest['snapshot']}.parquet"


def test_everything_as_recorded_has_no_problems(home: Home, filled: Registry) -> None:
    assert check_everything(filled, home) == (2 * FILES_OF_A_VERSION, [])


def test_an_empty_registry_has_no_problems(home: Home, registry: Registry) -> None:
    assert check_everything(registry, home) == (0, [])


def test_two_versions_of_one_snapshot_count_it_once(home: Home, registry: Registry, new_version: NewVersion) -> None:
    first, second = new_version("r-1"), new_version("r-2")
    manifests = [json.loads((folder / "manifest.json").read_text()) for folder in (first, second)]
    (second / "manifest.json").write_text(json.dumps(manifests[1] | {"snapshot": manifests[0]["snapshot"]}))
    registry.add("fraud", "r-1", first)
    registry.add("fraud", "r-2", second)
    assert check_everything(registry, home) == (2 * FILES_OF_A_VERSION - 1, [])


@pytest.mark.parametrize("name", ["manifest.json", "signature", "model.onnx", "deep/report.html"])
def test_a_flipped_byte_of_a_version_is_named(home: Home, filled: Registry, name: str) -> None:
    flip(Path(home.registry) / "fraud" / "1" / name)
    _, (problem,) = check_everything(filled, home)
    assert problem.startswith(f"fraud/1/{name} was changed: expected sha256 ")


def test_a_flipped_byte_of_a_snapshot_is_named(home: Home, filled: Registry) -> None:
    snapshot = snapshot_of(home, 2)
    flip(snapshot)
    _, (problem,) = check_everything(filled, home)
    assert problem.startswith(f"snapshots/{snapshot.name} was changed")
    assert problem.endswith("(manifest of fraud/2)")


@pytest.mark.parametrize("name", ["manifest.json", "signature", "model.onnx", "deep/report.html"])
def test_a_missing_file_of_a_version_is_named(home: Home, filled: Registry, name: str) -> None:
    (Path(home.registry) / "fraud" / "1" / name).unlink()
    _, (problem,) = check_everything(filled, home)
    assert problem.startswith(f"fraud/1/{name} is missing (")


def test_a_missing_snapshot_is_named(home: Home, filled: Registry) -> None:
    snapshot = snapshot_of(home, 1)
    snapshot.unlink()
    assert check_everything(filled, home)[1] == [f"snapshots/{snapshot.name} is missing (manifest of fraud/1)"]


def test_a_file_that_was_added_to_a_version_is_named(home: Home, filled: Registry) -> None:
    filled.store.write_bytes("fraud/1/run_me.py", b"import os")
    assert check_everything(filled, home)[1] == ["fraud/1/run_me.py was added (not in the manifest of fraud/1)"]


def test_a_manifest_that_fits_a_changed_model_is_not_believed(
    home: Home, filled: Registry, new_version: NewVersion
) -> None:
    """Whoever can write to the registry can make model and manifest fit each other; the log still knows better."""
    other = new_version("r-9")
    for path in other.rglob("*"):
        if path.is_file():
            filled.store.put(f"fraud/1/{path.relative_to(other).as_posix()}", path)
    _, problems = check_everything(filled, home)
    assert [problem.split(" was changed")[0] for problem in problems] == ["fraud/1/manifest.json", "fraud/1/signature"]


def test_a_version_that_no_record_has_is_named(home: Home, filled: Registry) -> None:
    filled.store.write_bytes("fraud/9/manifest.json", b"{}")
    _, (problem,) = check_everything(filled, home)
    assert problem.startswith("fraud/9/manifest.json is in no record")


def test_what_an_interrupted_registration_left_is_no_problem(home: Home, filled: Registry) -> None:
    filled.store.write_bytes("fraud/9/model.onnx", b"half")
    assert check_everything(filled, home)[1] == []


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(
            lambda path: path.write_text('{"champion": 1}'),
            "was changed: expected {'champion': 2}, found {'champion': 1}",
            id="moved",
        ),
        pytest.param(
            lambda path: path.write_text("{"), "was changed: expected {'champion': 2}, found None", id="cut off"
        ),
        pytest.param(lambda path: path.unlink(), "is missing: expected {'champion': 2}", id="gone"),
    ],
)
def test_a_copy_of_the_aliases_that_differs_from_the_log_is_named(
    home: Home, filled: Registry, spoil: Callable[[Path], object], said: str
) -> None:
    spoil(Path(home.registry) / "fraud" / "aliases.json")
    _, (problem,) = check_everything(filled, home)
    assert problem.startswith(f"fraud/aliases.json {said}")


def test_a_record_of_a_hostile_name_is_a_problem_and_no_crash(home: Home, filled: Registry) -> None:
    filled.log.append("version.register", "../elsewhere", {})
    _, (problem,) = check_everything(filled, home)
    assert problem.startswith("../elsewhere/manifest.json cannot be in a store")
