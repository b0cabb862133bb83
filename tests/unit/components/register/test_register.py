# SPDX-License-Identifier: Apache-2.0
"""A version gets a number, and the aliases it has earned; a packaged directory is all that register looks at."""

import json
from pathlib import Path

import pytest

from components.register import register
from kelp.errors import IntegrityError
from kelp.home import SIGNING_PUBLIC_KEY
from kelp.parquet import folder_digests
from kelp.registry import Registry
from kelp.registry.signature import verify
from tests.unit.components.ingest.factories import Bench, a_model, json_of

MODEL = a_model()


def a_version(bench: Bench, run_id: str, result: str = "pass") -> Path:
    """A version directory as far as the registry knows it."""
    folder = bench.folder(f"packaged-{run_id}")
    (folder / "model.onnx").write_bytes(run_id.encode())
    manifest = {"run": run_id, "result": result, "files": folder_digests(folder)}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def aliases(bench: Bench) -> dict[str, int]:
    registry = Registry.open(bench.home, "test")
    with registry.log:
        return registry.aliases("tiny")


def actions(bench: Bench) -> list[str]:
    registry = Registry.open(bench.home, "test")
    with registry.log:
        return [entry.record.action for entry in registry.log.entries(0, 100)]


def test_a_pass_becomes_challenger_and_champion(bench: Bench) -> None:
    found = register(MODEL, bench.home, "run-1", a_version(bench, "run-1"))
    assert found == {"model": "tiny", "version": 1, "status": "champion"}
    assert aliases(bench) == {"challenger": 1, "champion": 1}
    stored = Path(bench.home.registry) / "tiny"
    assert {path.name for path in (stored / "1").iterdir()} == {"model.onnx", "manifest.json", "signature"}
    assert json_of(stored / "aliases.json") == {"challenger": 1, "champion": 1}
    verify(stored / "1", Path(bench.home.keys) / SIGNING_PUBLIC_KEY)


def test_the_next_pass_takes_over(bench: Bench) -> None:
    for number in (1, 2):
        register(MODEL, bench.home, f"run-{number}", a_version(bench, f"run-{number}"))
    assert aliases(bench) == {"challenger": 2, "champion": 2}


@pytest.mark.parametrize(
    ("result", "status"),
    [pytest.param("fail", "rejected", id="fail"), pytest.param("undecided", "undecided", id="undecided")],
)
def test_without_a_pass_the_version_is_kept_and_no_alias_moves(bench: Bench, result: str, status: str) -> None:
    register(MODEL, bench.home, "run-1", a_version(bench, "run-1"))
    found = register(MODEL, bench.home, "run-2", a_version(bench, "run-2", result))
    assert found == {"model": "tiny", "version": 2, "status": status}
    assert aliases(bench) == {"challenger": 1, "champion": 1}
    assert (Path(bench.home.registry) / "tiny" / "2" / "manifest.json").exists()
    assert actions(bench)[-2:] == ["version.register", "version.close"]


@pytest.mark.parametrize("result", ["pass", "fail", "undecided"])
def test_a_second_call_for_the_same_run_changes_nothing(bench: Bench, result: str) -> None:
    folder = a_version(bench, "run-1", result)
    first = register(MODEL, bench.home, "run-1", folder)
    recorded, stored = actions(bench), folder_digests(Path(bench.home.registry))
    assert register(MODEL, bench.home, "run-1", folder) == first
    assert actions(bench) == recorded
    assert folder_digests(Path(bench.home.registry)) == stored


def test_a_late_second_call_does_not_bring_back_an_older_champion(bench: Bench) -> None:
    first = a_version(bench, "run-1")
    register(MODEL, bench.home, "run-1", first)
    register(MODEL, bench.home, "run-2", a_version(bench, "run-2"))
    again = register(MODEL, bench.home, "run-1", first)
    assert again == {"model": "tiny", "version": 1, "status": "superseded"}
    assert aliases(bench) == {"challenger": 2, "champion": 2}


def test_a_directory_that_differs_from_its_manifest_is_not_registered(bench: Bench) -> None:
    folder = a_version(bench, "run-1")
    (folder / "model.onnx").write_bytes(b"another model")
    with pytest.raises(IntegrityError, match=r"model\.onnx was changed"):
        register(MODEL, bench.home, "run-1", folder)
    assert aliases(bench) == {}
    assert not (Path(bench.home.registry) / "tiny").exists()


def test_a_run_cannot_register_something_else_later(bench: Bench) -> None:
    register(MODEL, bench.home, "run-1", a_version(bench, "run-1"))
    other = bench.folder("other")
    (other / "model.onnx").write_bytes(b"another model")
    manifest = {"run": "run-1", "result": "pass", "files": folder_digests(other)}
    (other / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(IntegrityError, match="registered it before"):
        register(MODEL, bench.home, "run-1", other)
    assert aliases(bench) == {"challenger": 1, "champion": 1}


def test_models_have_numbers_and_aliases_of_their_own(bench: Bench) -> None:
    register(MODEL, bench.home, "run-1", a_version(bench, "run-1"))
    other = MODEL.model_copy(update={"metadata": MODEL.metadata.model_copy(update={"name": "other"})})
    assert register(other, bench.home, "run-2", a_version(bench, "run-2"))["version"] == 1
    assert aliases(bench) == {"challenger": 1, "champion": 1}
