# SPDX-License-Identifier: Apache-2.0
"""When something is wrong: a gate says no, a process is killed, a byte is flipped, the data is bad."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.local.story.workplace import ROOT, Workplace

SPEC = (ROOT / "models" / "fraud.yaml").read_text()


def test_an_unreachable_gate_exits_3_and_registers_as_rejected(fresh: Workplace) -> None:
    path = fresh.spec("fraud", SPEC.replace("atLeast: 0.5", "atLeast: 0.99"))
    assert "did not pass" in fresh.kelp("run", path, expect=3)
    (version,) = fresh.json("models", "fraud")
    assert version["result"] == "fail"
    assert version["aliases"] == []
    assert "no model has a champion" in fresh.kelp("up", expect=2)
    assert "OK " in fresh.kelp("audit", "verify")


def test_kill_9_in_the_middle_then_resume_gives_the_same_model(fresh: Workplace, tmp_path: Path) -> None:
    whole = Workplace(tmp_path / "uninterrupted")
    (whole.folder / "models").mkdir(parents=True)
    (whole.folder / "data").symlink_to(fresh.folder / "data")
    easy = SPEC.split("  gates:")[0]
    fresh.spec("fraud", easy)
    whole.spec("fraud", easy)
    fresh.kelp("status")
    whole.kelp("status")
    key = (fresh.home / "keys" / "pseudonym.key").read_bytes()
    (whole.home / "keys" / "pseudonym.key").write_bytes(key)
    whole.kelp("run", "models/fraud.yaml")

    run = fresh.start("run", "models/fraud.yaml")
    wait_for(lambda: any(fresh.home.glob("runs/*/steps/train.json")))
    run.send_signal(signal.SIGKILL)
    run.wait(10)
    assert not any(fresh.home.glob("registry/fraud/*"))
    wait_for(lambda: fresh.json("runs")[0]["state"] == "interrupted")
    said = fresh.kelp("run", "models/fraud.yaml", "--resume")
    assert "reused" in said
    assert model_files(fresh) == model_files(whole)
    assert len(fresh.json("runs")) == 1
    assert "OK " in fresh.kelp("audit", "verify")


def model_files(workplace: Workplace) -> dict[str, str]:
    manifest = json.loads((workplace.home / "registry" / "fraud" / "1" / "manifest.json").read_text())
    names = ("model.onnx", "model.ubj", "transform.json", "reference.parquet")
    return {"prepared": manifest["prepared"], **{name: manifest["files"][name] for name in names}}


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"


@pytest.mark.parametrize(
    ("pattern", "refuses_to_serve"),
    [
        pytest.param("registry/fraud/1/model.onnx", True, id="model"),
        pytest.param("registry/fraud/1/transform.json", True, id="transform"),
        pytest.param("registry/fraud/1/manifest.json", True, id="manifest"),
        pytest.param("store/snapshots/*.parquet", False, id="snapshot"),
    ],
)
def test_one_flipped_byte_is_named(trained: Workplace, pattern: str, refuses_to_serve: bool) -> None:
    (path,) = trained.home.glob(pattern)
    good = path.read_bytes()
    middle = len(good) // 2
    path.write_bytes(good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :])
    try:
        said = trained.kelp("audit", "verify", expect=4)
        assert path.name in said
        if refuses_to_serve:
            assert path.name in trained.kelp("up", "--port", "0", expect=4)
    finally:
        path.write_bytes(good)
    assert "OK " in trained.kelp("audit", "verify")


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(lambda data: [file.unlink() for file in data.iterdir()], "no Parquet or CSV file", id="nothing"),
        pytest.param(lambda data: _truncate(min(data.iterdir())), "cannot be read as parquet", id="truncated"),
        pytest.param(lambda data: min(data.iterdir()).write_bytes(b""), "is empty", id="empty"),
    ],
)
def test_bad_data_is_exit_2_and_the_failed_run_is_recorded(
    fresh: Workplace, spoil: Callable[[Path], object], said: str
) -> None:
    spoil(fresh.folder / "data" / "fraud")
    message = fresh.kelp("run", "models/fraud.yaml", expect=2)
    assert said in message
    assert "Traceback" not in message
    (run,) = fresh.json("runs")
    assert run["state"] == "failed"
    assert fresh.json("models") == []
