# SPDX-License-Identifier: Apache-2.0
"""`kelp audit`: the record is shown, verified and proved, and whatever was changed is named."""

from pathlib import Path

import pytest

from kelp.registry import Registry
from tests.contract.command_line import CommandLine, command_line


@pytest.fixture
def kelp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return command_line(tmp_path, monkeypatch, capsys)


def test_the_audit_log_is_shown_verified_and_proved(kelp: CommandLine) -> None:
    kelp.champion()
    shown = kelp("audit", "show", "--last", "2")
    assert [line.split()[3] for line in shown.out.splitlines()[1:]] == ["version.register", "alias.move"]
    checkpoint = kelp("audit", "checkpoint").out
    (kelp.folder / "kept.txt").write_text(checkpoint)
    verified = kelp("audit", "verify", "--against", "kept.txt")
    assert verified.code == 0
    assert verified.out.splitlines()[-1] == "OK 3 records and 3 files are as they were recorded"
    assert kelp("audit", "prove", "1").json["record"]["action"] == "version.register"


def test_markup_in_the_audit_log_is_text(kelp: CommandLine) -> None:
    registry = Registry.open(kelp.home, "user:test")
    with registry.log:
        registry.log.append("note.add", "[/] odd [bold]subject", {})
    assert "[/] odd [bold]subject" in kelp("audit", "show").out


@pytest.mark.parametrize("name", ["transform.json", "signature", "manifest.json"])
def test_a_flipped_byte_is_4_and_named(kelp: CommandLine, name: str) -> None:
    kelp.champion()
    path = Path(kelp.home.registry) / "fraud" / "1" / name
    content = path.read_bytes()
    path.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
    said = kelp("audit", "verify")
    assert said.code == 4
    assert f"fraud/1/{name} was changed" in said.err
    as_json = kelp("audit", "verify", "--json")
    assert (as_json.code, as_json.json["ok"]) == (4, False)
    refused = kelp("up", "--port", "0")
    assert refused.code == 4
    assert kelp("audit", "show", "--last", "1").out.splitlines()[-1].split()[3] == "model.refuse"


def test_a_checkpoint_that_the_log_does_not_extend_is_4(kelp: CommandLine) -> None:
    kelp.champion()
    (kelp.folder / "kept.txt").write_text(kelp("audit", "checkpoint").out)
    for path in Path(kelp.home.audit).iterdir():
        path.unlink()
    kelp.champion("fraud", "r-2")
    assert kelp("audit", "verify", "--against", "kept.txt").code == 4
